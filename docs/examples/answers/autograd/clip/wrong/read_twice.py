# The parameters are read twice.
# fails: test_parameters_of_a_model
def clip_gradients(parameters, max_norm):
    norm = sum(float((p.grad**2).sum()) for p in parameters if p.grad is not None) ** 0.5
    for p in parameters:
        if p.grad is not None and norm > max_norm:
            p.grad *= max_norm / norm
    return norm
