# Plain gradient descent.
# fails: test_velocity
class SGDMomentum:
    def __init__(self, parameters, lr, momentum=0.9):
        self.parameters, self.lr = list(parameters), lr

    @torch.no_grad()
    def step(self):
        for p in self.parameters:
            if p.grad is not None:
                p -= self.lr * p.grad

    def zero_grad(self):
        for p in self.parameters:
            p.grad = None
