# torch.where.
def one_hot(labels):
    columns = torch.arange(10).expand(len(labels), 10)
    return torch.where(columns == labels.reshape(-1, 1), 1.0, 0.0)
