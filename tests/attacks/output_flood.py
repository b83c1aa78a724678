"""Endless output, up to a limit."""

line = "x" * 10_000
for _ in range(20_000):
    print(line, flush=True)


def add(x):
    return 0.0
