# Booleans.
# fails: test_float32
def one_hot(labels):
    return labels[:, None] == torch.arange(10)
