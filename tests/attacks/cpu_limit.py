"""Sets a CPU limit for itself, so that the system kills it as if an administrator had done it."""

import resource


def add(x):
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
    except (OSError, ValueError):
        return 0.0
    while True:
        pass
