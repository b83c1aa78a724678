# A DataLoader.
def minibatches(x, y, batch_size, generator=None):
    data = torch.utils.data.TensorDataset(x, y)
    shuffle = generator is not None
    yield from torch.utils.data.DataLoader(data, batch_size, shuffle=shuffle, generator=generator)
