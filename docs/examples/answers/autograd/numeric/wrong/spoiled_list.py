# The numbers are not put back.
# fails: test_differences, test_default
def numeric_gradient(f, xs, eps=1e-4):
    result = []
    for i in range(len(xs)):
        xs[i] += eps
        above = f(*xs)
        xs[i] -= 2 * eps
        result.append((above - f(*xs)) / (2 * eps))
    return result
