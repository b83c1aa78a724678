# The last dimension.
def class_probabilities(logits):
    return torch.softmax(logits, dim=-1)
