# An embedding that is the identity.
def one_hot(labels):
    return F.embedding(labels, torch.eye(10))
