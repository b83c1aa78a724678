# relu in place, on what the layers made.
class DNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden1 = nn.Linear(784, 100)
        self.hidden2 = nn.Linear(100, 100)
        self.hidden3 = nn.Linear(100, 10)

    def forward(self, x):
        x = x.view(-1, 784)
        x = F.relu(self.hidden1(x), inplace=True)
        x = self.hidden2(x).relu_()
        return self.hidden3(x)
