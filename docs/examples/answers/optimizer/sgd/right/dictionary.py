# The velocities are in a dictionary, and get the factor lr at once.
class SGDMomentum:
    def __init__(self, parameters, lr, momentum=0.9):
        self.velocities = {p: 0 for p in parameters}
        self.lr, self.momentum = lr, momentum

    def step(self):
        for p, velocity in self.velocities.items():
            if p.grad is not None:
                self.velocities[p] = self.momentum * velocity + self.lr * p.grad
                p.data = p.data - self.velocities[p]

    def zero_grad(self):
        for p in self.velocities:
            if p.grad is not None:
                p.grad.zero_()
