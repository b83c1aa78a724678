# A relu with a gradient of its own, that is never 0.
# fails: test_same_weights_same_outputs_and_gradients
class Relu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        return gradient

class DNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden1 = nn.Linear(784, 100)
        self.hidden2 = nn.Linear(100, 100)
        self.hidden3 = nn.Linear(100, 10)

    def forward(self, x):
        x = x.view(-1, 784)
        x = Relu.apply(self.hidden1(x))
        x = Relu.apply(self.hidden2(x))
        return self.hidden3(x)
