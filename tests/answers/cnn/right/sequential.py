# All in a Sequential.
class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Unflatten(1, (1, 28)), nn.Conv2d(1, 6, 3, padding='same'), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(1176, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x):
        return self.layers(x)
