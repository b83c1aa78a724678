# A list of convolutions.
class CNN2(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(1 if i == 0 else 6, 6, 3, padding=1) for i in range(3)])
        self.fc1 = nn.Linear(294, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = x[:, None]
        for i, convolution in enumerate(self.convolutions):
            x = F.relu(convolution(x))
            if i < 2:
                x = F.max_pool2d(x, 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))
