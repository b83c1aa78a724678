# Query by query; a very negative score is as good as minus infinity.
def attention(q, k, v, mask=None):
    results = []
    for t in range(q.shape[-2]):
        scores = (q[..., t : t + 1, :] * k).sum(-1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores + (~mask[t]) * -1e9
        weights = torch.softmax(scores, -1)
        results.append((weights.unsqueeze(-1) * v).sum(-2))
    return torch.stack(results, -2)
