# Renamed layers, declared from last to first.
class DNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(100, 10)
        self.second = nn.Linear(100, 100)
        self.first = nn.Linear(784, 100)

    def forward(self, x):
        h = torch.relu(self.first(x.flatten(1)))
        h = torch.relu(self.second(h))
        return self.out(h)
