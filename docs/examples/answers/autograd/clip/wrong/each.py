# Each gradient is clipped alone.
# fails: test_large, test_parameters_of_a_model
def clip_gradients(parameters, max_norm):
    squares = 0.0
    for parameter in parameters:
        if parameter.grad is not None:
            norm = parameter.grad.norm().item()
            squares += norm**2
            if norm > max_norm:
                parameter.grad *= max_norm / norm
    return squares**0.5
