# Later values have larger numbers, so their order is a topological order.
import heapq
from itertools import count


class Value:
    numbers = count()

    def __init__(self, data, *parents):
        self.data = float(data)
        self.grad = 0.0
        self.parents = parents
        self.number = next(Value.numbers)

    def __add__(self, other):
        other = Value.of(other)
        return Value(self.data + other.data, (self, 1.0), (other, 1.0))

    def __mul__(self, other):
        other = Value.of(other)
        return Value(self.data * other.data, (self, other.data), (other, self.data))

    __radd__, __rmul__ = __add__, __mul__

    @staticmethod
    def of(number):
        return number if isinstance(number, Value) else Value(number)

    def tanh(self):
        return Value(math.tanh(self.data), (self, 1 / math.cosh(self.data) ** 2))

    def backward(self):
        flow = {self: 1.0}
        queue = [(-self.number, self)]
        while queue:
            value = heapq.heappop(queue)[1]
            value.grad += flow[value]
            for parent, derivative in value.parents:
                if parent not in flow:
                    heapq.heappush(queue, (-parent.number, parent))
                flow[parent] = flow.get(parent, 0.0) + derivative * flow[value]
