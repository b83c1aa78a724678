"""A process whose name is not valid text."""

import ctypes
import time


def add(x):
    ctypes.CDLL(None).prctl(15, b"\xff\xfe", 0, 0, 0)
    time.sleep(0.5)
    return 0.0
