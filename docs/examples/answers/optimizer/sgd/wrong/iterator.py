# The iterator is empty after __init__, so nothing ever moves. A parameter without a gradient is not skipped either, but
# there is none.
# fails: test_velocity, test_without_gradient
class SGDMomentum:
    def __init__(self, parameters, lr, momentum=0.9):
        self.parameters = parameters
        self.lr, self.momentum = lr, momentum
        self.velocities = [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(self):
        for p, velocity in zip(self.parameters, self.velocities):
            velocity.mul_(self.momentum).add_(p.grad)
            p -= self.lr * velocity

    def zero_grad(self):
        for p in self.parameters:
            p.grad = None
