# A loop over the labels.
def one_hot(labels):
    result = torch.zeros(len(labels), 10)
    for i, label in enumerate(labels):
        result[i, label] = 1.0
    return result
