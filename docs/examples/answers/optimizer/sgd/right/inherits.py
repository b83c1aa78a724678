# A base class holds the parameters; the velocities are made when they are needed.
class Optimizer:
    def __init__(self, parameters):
        self.parameters = [*parameters]

    def zero_grad(self):
        for p in self.parameters:
            p.grad = None


class SGDMomentum(Optimizer):
    def __init__(self, parameters, lr, momentum=0.9):
        super().__init__(parameters)
        self.options = {"lr": lr, "momentum": momentum}
        self.state = {}

    def step(self):
        for i, p in enumerate(self.parameters):
            if p.grad is None:
                continue
            if i in self.state:
                self.state[i] = self.options["momentum"] * self.state[i] + p.grad
            else:
                self.state[i] = p.grad.clone()
            with torch.no_grad():
                p.sub_(self.state[i], alpha=self.options["lr"])
