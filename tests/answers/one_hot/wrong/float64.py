# Doubles.
# fails: test_float32
def one_hot(labels):
    return F.one_hot(labels, 10).double()
