"""Calls `sys.exit` when the function is called."""

import sys


def add(x):
    sys.exit(0)
