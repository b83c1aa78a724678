"""Writes one large file, up to a limit."""


def add(x):
    with open("large", "wb") as file:
        for _ in range(20):
            file.write(bytes(25_000_000))
    return 0.0
