"""Killed by the system for a limit that it set itself: as if an administrator had done it."""

import resource


def add(x):
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
    except (OSError, ValueError):
        return 0.0
    while True:
        pass
