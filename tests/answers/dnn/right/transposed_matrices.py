# Matrices that the images are multiplied by, with a row for each input.
class DNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.W1 = nn.Parameter(torch.randn(784, 100) * (2 / 784) ** 0.5)
        self.b1 = nn.Parameter(torch.zeros(100))
        self.W2 = nn.Parameter(torch.randn(100, 100) * (2 / 100) ** 0.5)
        self.b2 = nn.Parameter(torch.zeros(100))
        self.W3 = nn.Parameter(torch.randn(100, 10) * (2 / 100) ** 0.5)
        self.b3 = nn.Parameter(torch.zeros(10))

    def forward(self, x):
        x = x.view(-1, 784)
        x = F.relu(x @ self.W1 + self.b1)
        x = F.relu(x @ self.W2 + self.b2)
        return x @ self.W3 + self.b3
