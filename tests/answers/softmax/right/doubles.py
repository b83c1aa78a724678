# Doubles.
def class_probabilities(logits):
    return torch.softmax(logits.double(), dim=1)
