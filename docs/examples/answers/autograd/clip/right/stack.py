# The norm of the norms.
def clip_gradients(parameters, max_norm):
    parameters = [parameter for parameter in parameters if parameter.grad is not None]
    norm = torch.stack([parameter.grad.norm() for parameter in parameters]).norm().item()
    factor = min(1.0, max_norm / norm)
    for parameter in parameters:
        parameter.grad.mul_(factor)
    return norm
