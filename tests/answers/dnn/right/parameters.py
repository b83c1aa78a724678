# Matrices instead of layers.
class DNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(100, 784) / 28)
        self.b1 = nn.Parameter(torch.zeros(100))
        self.w2 = nn.Parameter(torch.randn(100, 100) / 10)
        self.b2 = nn.Parameter(torch.zeros(100))
        self.w3 = nn.Parameter(torch.randn(10, 100) / 10)
        self.b3 = nn.Parameter(torch.zeros(10))

    def forward(self, x):
        x = x.reshape(-1, 784)
        x = F.relu(F.linear(x, self.w1, self.b1))
        x = F.relu(x @ self.w2.T + self.b2)
        return x @ self.w3.t() + self.b3
