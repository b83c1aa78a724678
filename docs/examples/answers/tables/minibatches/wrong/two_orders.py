# x and y are shuffled apart.
# fails: test_shuffled, test_generator
def minibatches(x, y, batch_size, generator=None):
    if generator is not None:
        x = x[torch.randperm(len(x), generator=generator)]
        y = y[torch.randperm(len(y), generator=generator)]
    yield from zip(x.split(batch_size), y.split(batch_size))
