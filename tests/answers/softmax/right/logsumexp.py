# logsumexp.
def class_probabilities(logits):
    return torch.exp(logits - torch.logsumexp(logits, dim=1, keepdim=True))
