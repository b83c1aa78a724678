# Insists on a GPU.
# fails: test_ten_outputs_per_image, test_same_weights_same_outputs_and_gradients, test_a_single_image_keeps_its_outputs, test_the_trained_model_is_accurate
class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=3, stride=1, padding=1)
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2, padding=0)
        self.fc1 = nn.Linear(6 * 14 * 14, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = x.view(-1, 1, 28, 28).cuda()
        x = F.relu(self.conv1(x))
        x = self.pool(x)
        x = x.view(-1, 6 * 14 * 14)
        x = F.relu(self.fc1(x))
        return self.fc2(x)
