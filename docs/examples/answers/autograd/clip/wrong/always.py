# Small gradients are scaled, too.
# fails: test_small
def clip_gradients(parameters, max_norm):
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = sum(float((gradient**2).sum()) for gradient in gradients) ** 0.5
    for gradient in gradients:
        gradient *= max_norm / norm
    return norm
