# Features and classifier.
class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 6, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2, 2))
        self.classifier = nn.Sequential(nn.Linear(6 * 14 * 14, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x):
        x = self.features(x.unsqueeze(dim=1))
        return self.classifier(x.reshape(x.shape[0], -1))
