# The largest logit of each image subtracted, which changes no probability.
class DNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden1 = nn.Linear(784, 100)
        self.hidden2 = nn.Linear(100, 100)
        self.hidden3 = nn.Linear(100, 10)

    def forward(self, x):
        x = F.relu(self.hidden1(x.view(-1, 784)))
        x = self.hidden3(F.relu(self.hidden2(x)))
        return x - x.amax(dim=1, keepdim=True)
