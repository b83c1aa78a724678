# A detour through numpy.
def class_probabilities(logits):
    z = logits.detach().cpu().numpy()
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return torch.from_numpy(e / e.sum(axis=1, keepdims=True))
