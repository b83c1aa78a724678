# New layers at each call.
# fails: test_same_weights_same_outputs_and_gradients, test_a_single_image_keeps_its_outputs, test_the_trained_model_is_accurate
class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        pass

    def forward(self, x):
        conv1, fc1, fc2 = nn.Conv2d(1, 6, 3, padding=1), nn.Linear(1176, 64), nn.Linear(64, 10)
        x = F.max_pool2d(F.relu(conv1(x.unsqueeze(1))), 2)
        return fc2(F.relu(fc1(x.flatten(1))))
