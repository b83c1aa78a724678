# One long vector; each gradient is replaced by a new tensor.
def clip_gradients(parameters, max_norm):
    parameters = list(parameters)
    vector = torch.cat([p.grad.reshape(-1) for p in parameters if p.grad is not None])
    norm = float(torch.linalg.vector_norm(vector))
    if norm > max_norm:
        for p in parameters:
            if p.grad is not None:
                p.grad = p.grad / norm * max_norm
    return norm
