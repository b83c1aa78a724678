"""Fills the memory, up to a limit that a workstation survives."""

hoard = []


def add(x):
    for _ in range(60):
        hoard.append(bytearray(b"x") * 50_000_000)
    return 0.0
