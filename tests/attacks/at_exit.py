"""Wrong when asked, with an exit handler that claims success."""

import atexit

atexit.register(lambda: print("2.0"))


def add(x):
    return 0.0
