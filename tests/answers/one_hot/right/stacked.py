# Vectors, stacked.
def one_label(label):
    vector = torch.zeros(10)
    vector[label] = 1
    return vector

def one_hot(labels):
    return torch.stack([one_label(label) for label in labels])
