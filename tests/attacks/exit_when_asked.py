"""Exits with success when the function is called."""


def add(x):
    import os

    os._exit(0)
