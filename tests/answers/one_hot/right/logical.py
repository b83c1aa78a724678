# Conversion of a boolean at the end.
def one_hot(labels):
    is_label = torch.eq(labels.reshape(-1, 1), torch.tensor([list(range(10))]))
    return is_label.type(torch.FloatTensor)
