# In the style of micrograd: each value holds a function for the way back.
class Value:
    def __init__(self, data, children=()):
        self.data, self.grad = data, 0.0
        self.children, self.step = children, lambda: None

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))

        def step():
            self.grad += out.grad
            other.grad += out.grad

        out.step = step
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))

        def step():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.step = step
        return out

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def tanh(self):
        e = math.exp(2 * self.data)
        out = Value((e - 1) / (e + 1), (self,))

        def step():
            self.grad += (1 - out.data**2) * out.grad

        out.step = step
        return out

    def backward(self):
        order = []
        stack = [(self, False)]
        seen = set()
        while stack:
            value, done = stack.pop()
            if done:
                order.append(value)
            elif id(value) not in seen:
                seen.add(id(value))
                stack.append((value, True))
                stack.extend((child, False) for child in value.children)
        self.grad += 1.0
        for value in order[::-1]:
            value.step()
