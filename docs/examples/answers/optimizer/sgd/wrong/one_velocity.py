# One velocity for all, no check for None, and zero_grad forgets to assign.
# fails: test_velocity, test_without_gradient, test_zero_grad
class SGDMomentum:
    def __init__(self, parameters, lr, momentum=0.9):
        self.parameters = list(parameters)
        self.lr, self.momentum = lr, momentum
        self.velocity = 0

    @torch.no_grad()
    def step(self):
        for p in self.parameters:
            self.velocity = self.momentum * self.velocity + p.grad
            p -= self.lr * self.velocity

    def zero_grad(self):
        for p in self.parameters:
            p.grad * 0
