# A list of row numbers.
def minibatches(x, y, batch_size, generator=None):
    order = list(range(len(x)))
    if generator is not None:
        order = torch.rand(len(x), generator=generator).argsort().tolist()
    for start in range(0, len(x), batch_size):
        rows = order[start : start + batch_size]
        yield x[rows], y[rows]
