# All in a Sequential.
class CNN2(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(294, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x):
        return self.layers(x.view(-1, 1, 28, 28))
