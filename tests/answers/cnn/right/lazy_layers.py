# Layers that find their sizes with a first image.
class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.LazyConv2d(6, 3, padding=1)
        self.fc1 = nn.LazyLinear(64)
        self.fc2 = nn.LazyLinear(10)
        self(torch.zeros(1, 28, 28))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x.unsqueeze(1))), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))
