"""An answer of a gigabyte, and a number with a hundred million digits."""

import torch


def add(x):
    if x == int(x):
        return torch.zeros(30_000_000)
    return int("9" * 4000) ** 500
