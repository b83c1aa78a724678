# A block of the student's own.
class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.linear = nn.Linear(size, 100)

    def forward(self, x):
        return F.relu(self.linear(x))

class DNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Block(784)
        self.second = Block(100)
        self.last = nn.Linear(100, 10)

    def forward(self, x):
        return self.last(self.second(self.first(x.view(len(x), -1))))
