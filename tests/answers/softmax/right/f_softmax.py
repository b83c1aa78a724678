# PyTorch's own.
def class_probabilities(logits):
    return F.softmax(logits, dim=1)
