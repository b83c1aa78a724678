# The generator is not used.
# fails: test_generator
def minibatches(x, y, batch_size, generator=None):
    order = torch.arange(len(x)) if generator is None else torch.randperm(len(x))
    for rows in order.split(batch_size):
        yield x[rows], y[rows]
