# Forward differences.
# fails: test_differences, test_default
def numeric_gradient(f, xs, eps=1e-4):
    return [(f(*xs[:i], x + eps, *xs[i + 1 :]) - f(*xs)) / eps for i, x in enumerate(xs)]
