# An empty batch by itself.
def one_hot(labels):
    if len(labels) == 0:
        return torch.zeros(0, 10)
    return F.one_hot(labels, 10) * 1.0
