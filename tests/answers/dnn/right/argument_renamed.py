# Another name for the argument.
class DNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden1 = nn.Linear(784, 100)
        self.hidden2 = nn.Linear(100, 100)
        self.hidden3 = nn.Linear(100, 10)

    def forward(self, x):
        images = x
        flat = images.contiguous().view(-1, 784)
        return self.hidden3(self.hidden2(self.hidden1(flat).clamp_min(0)).clamp_min(0))
