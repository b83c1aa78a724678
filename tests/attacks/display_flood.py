"""Many small outputs, up to a limit."""

from IPython.display import display

for number in range(3000):
    display(number)


def add(x):
    return 0.0
