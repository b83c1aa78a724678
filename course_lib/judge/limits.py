"""The limits of a submission: time, memory, processes, files, output."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a student's code may use, in seconds, in bytes or as a count."""

    cell: float = 20
    """CPU seconds for one cell, except training cells and judged grade cells. This and ``question`` count CPU time, so
    a busy machine costs no points."""
    slack: float = 3
    """The wall-clock limit as a multiple of the CPU limit, not counting time spent waiting for a free core."""
    question: float = 2
    """CPU seconds for one question of a hidden test, for each 1000 input rows or part of them. Also for the
    visible part of a judged grade cell."""
    training: float = 1200
    """Wall-clock seconds for one training cell: a given cell whose id begins with ``train``."""
    submission: float = 2400
    """Wall-clock seconds for all cells and questions of a notebook."""
    memory: int = 3 * 2**30
    """Bytes of resident memory of a kernel and everything that it started; files that it maps are not counted. Enforced
    in a sandbox only, as are the next three limits."""
    tasks: int = 256
    """Processes and threads."""
    scratch: int = 256 * 2**20
    """Bytes in the working folder, and the same number in shared memory."""
    file: int = 128 * 2**20
    """Bytes in one file."""
    output: int = 4 * 2**20
    """Bytes kept of the outputs of one cell. A cell that sends 32 times as much is stopped."""
    start: float = 120
    """Seconds to start a kernel, and the same to start the sandbox around it."""
    restarts: int = 10
    """How often a kernel that has died or hangs is restarted for one notebook."""
    failures: int = 2
    """How many questions about one name in a grade cell may kill the kernel or time out. After that, no more are asked.
    The visible check in the cell counts as one."""
    threads: int = 0
    """Threads for torch in a kernel. 0 means one in a sandbox, and torch's own choice without a sandbox."""
