# PyTorch's own, by keyword.
def one_hot(labels):
    return F.one_hot(labels, num_classes=10).to(torch.float32)
