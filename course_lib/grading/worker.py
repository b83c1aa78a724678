"""What the worker processes do. Only they import torch: the command itself starts in a second."""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from .job import Graded, Job
from .sandbox import sandbox

MEMORY = 2 * 2**30
"""Bytes of private memory that a worker may reserve; it needs a quarter of it."""

__all__ = ["grade_submission", "points_of", "start_worker"]


def start_worker(parent: int, room: Path | None) -> None:
    """Leave interrupts to the process that runs the command, and die when it is killed.

    Args:
        parent: the pid of that process.
        room: the folder with what kernels see, or None for no sandbox. Its sandbox starts while torch is imported here.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)
    if room is not None:
        sandbox(room / "library", room / "files")
    # a message may be larger than any limit on it can tell: then this worker dies, not the machine
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def grade_submission(jobs: Sequence[Job]) -> list[Graded]:
    """Grade the notebooks of one submission."""
    from .grade import grade

    return [grade(job) for job in jobs]


def points_of(paths: Sequence[Path]) -> dict[str, float]:
    """The points of the hidden tests by grade cell.

    Raises:
        AssignmentError: if a file cannot be collected; the message names it.
    """
    from .hidden import collect_hidden_tests

    return {name: cell.points for name, cell in collect_hidden_tests(paths).items()} if paths else {}
