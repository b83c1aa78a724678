# Lists of numbers.
def one_hot(labels):
    return torch.tensor([[float(k == label) for k in range(10)] for label in labels.tolist()])
