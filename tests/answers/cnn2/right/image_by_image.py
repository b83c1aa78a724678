# One image at a time.
class CNN2(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=3, stride=1, padding=1)
        self.conv2 = nn.Conv2d(6, 6, kernel_size=3, stride=1, padding=1)
        self.conv3 = nn.Conv2d(6, 6, kernel_size=3, stride=1, padding=1)
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2, padding=0)
        self.fc1 = nn.Linear(6 * 7 * 7, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        outputs = []
        for image in x:
            features = self.pool(F.relu(self.conv1(image.view(1, 1, 28, 28))))
            features = self.pool(F.relu(self.conv2(features)))
            features = F.relu(self.conv3(features))
            outputs.append(self.fc2(F.relu(self.fc1(features.view(294)))))
        return torch.stack(outputs)
