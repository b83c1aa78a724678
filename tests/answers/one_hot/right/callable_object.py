# An object that can be called.
class OneHot:
    def __init__(self, n=10):
        self.n = n
    def __call__(self, labels):
        return torch.eye(self.n)[labels]

one_hot = OneHot()
