# Each pixel normalized over the batch: 0 / 0 where it is black in all images.
# fails: test_same_weights_same_outputs_and_gradients, test_a_single_image_keeps_its_outputs
class DNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden1 = nn.Linear(784, 100)
        self.hidden2 = nn.Linear(100, 100)
        self.hidden3 = nn.Linear(100, 10)

    def forward(self, x):
        x = x.view(-1, 784)
        x = (x - x.mean(dim=0)) / x.std(dim=0)
        x = F.relu(self.hidden1(x))
        x = F.relu(self.hidden2(x))
        return self.hidden3(x)
