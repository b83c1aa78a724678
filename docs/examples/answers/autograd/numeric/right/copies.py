# Two copies of the list for each number.
def numeric_gradient(f, xs, eps=1e-4):
    result = []
    for i in range(len(xs)):
        plus, minus = list(xs), list(xs)
        plus[i] += eps
        minus[i] -= eps
        result.append((f(*plus) - f(*minus)) / eps / 2)
    return result
