# All weights begin with zero: the network cannot learn.
# fails: test_the_trained_model_is_accurate
class DNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden1 = nn.Linear(784, 100)
        self.hidden2 = nn.Linear(100, 100)
        self.hidden3 = nn.Linear(100, 10)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x):
        x = F.relu(self.hidden1(x.view(-1, 784)))
        x = F.relu(self.hidden2(x))
        return self.hidden3(x)