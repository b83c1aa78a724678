"""The limits of a submission: time, memory, processes, files, output."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a student's code may use: seconds, bytes, numbers."""

    cell: float = 20
    """Seconds of computing for one cell, those below excepted. Computing is what counts here and for a question: a busy
    machine costs nobody a point. Three times as many seconds may pass meanwhile, those not counted in which the kernel
    was ready and no core was free."""
    question: float = 2
    """Seconds of computing for one question of a hidden test with up to 1000 images, for each further 1000, and for a
    given cell that checks answers."""
    training: float = 1200
    """Seconds that may pass for one training cell: a given cell whose id begins with ``train``."""
    submission: float = 2400
    """Seconds for all of a notebook's cells and questions."""
    memory: int = 3 * 2**30
    """Bytes of resident memory of a kernel and all that it started; files it maps are not counted. In a sandbox only,
    as the next three."""
    tasks: int = 256
    """Processes and threads."""
    scratch: int = 256 * 2**20
    """Bytes in the working folder, and as many in shared memory."""
    file: int = 128 * 2**20
    """Bytes in one file."""
    output: int = 4 * 2**20
    """Bytes kept of the outputs of one cell; one that sends 32 times as much is stopped."""
    start: float = 120
    """Seconds for the start of a kernel, and for that of the sandbox around it."""
    restarts: int = 10
    """How often a kernel that died or hangs is started again for one notebook."""
    failures: int = 2
    """How many questions about one name in a grade cell may kill the kernel or run out of time; no more are asked. The
    visible check in the cell counts as one."""
    threads: int = 0
    """Threads for torch in a kernel; 0: one in a sandbox, else as many as torch chooses."""
