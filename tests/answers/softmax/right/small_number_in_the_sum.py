# A tiny number against division by zero.
def class_probabilities(logits):
    e = torch.exp(logits - logits.amax(dim=1, keepdim=True))
    return e / (e.sum(dim=1, keepdim=True) + 1e-9)
