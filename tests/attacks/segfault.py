"""A memory fault in C."""

import ctypes


def add(x):
    ctypes.string_at(0)
