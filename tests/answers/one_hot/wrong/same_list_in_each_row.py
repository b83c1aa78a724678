# The same list N times.
# fails: test_a_single_one_per_row, test_float32
def one_hot(labels):
    m = [[0.0] * 10] * len(labels)
    for i, l in enumerate(labels):
        m[i][l] = 1.0
    return torch.tensor(m)
