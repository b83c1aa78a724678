# A Python list of layers: the model has no parameters.
# fails: test_same_weights_same_outputs_and_gradients, test_the_trained_model_is_accurate
class DNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(784, 100), nn.Linear(100, 100), nn.Linear(100, 10)]

    def forward(self, x):
        x = x.view(-1, 784)
        x = F.relu(self.layers[0](x))
        x = F.relu(self.layers[1](x))
        return self.layers[2](x)
