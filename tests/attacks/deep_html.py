"""HTML whose cleaning takes a time that grows with the square of its length."""

from IPython.display import HTML, display

for _ in range(5):
    display(HTML("<i>" * 8000 + "</p>" * 8000))
    display(HTML("<div>" * 100_000))


def add(x):
    return 0.0
