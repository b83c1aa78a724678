# Rows of the identity matrix.
def one_hot(labels):
    return torch.eye(10)[labels]
