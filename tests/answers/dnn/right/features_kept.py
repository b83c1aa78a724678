# What the layers computed is kept to be looked at.
class DNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden1 = nn.Linear(784, 100)
        self.hidden2 = nn.Linear(100, 100)
        self.hidden3 = nn.Linear(100, 10)

    def forward(self, x):
        x = F.relu(self.hidden1(x.view(-1, 784)))
        self.features = F.relu(self.hidden2(x))
        return self.hidden3(self.features)
