# eps is not used.
# fails: test_differences
def numeric_gradient(f, xs, eps=1e-4):
    eps = 1e-4
    return [
        (f(*xs[:i], x + eps, *xs[i + 1 :]) - f(*xs[:i], x - eps, *xs[i + 1 :])) / (2 * eps) for i, x in enumerate(xs)
    ]
