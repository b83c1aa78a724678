"""What grading a notebook takes and gives: plain data that passes between processes, and imports nothing slow."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nbformat import NotebookNode

from ..mnist import cache_folder
from .assignment import NotebookSpec
from .result import NotebookResult

__all__ = ["Graded", "Job", "Limits", "Protection", "trainings_folder"]

Protection = Literal["bubblewrap", "none"]
"""What a student's code runs in."""


@dataclass(frozen=True)
class Limits:
    """What a student's code may use: seconds, bytes, numbers. Beyond each, a verdict of its own."""

    cell: float = 30
    """Seconds for one cell, training cells excepted."""
    training: float = 1200
    """Seconds for one training cell: a given cell that calls the training loop."""
    question: float = 10
    """Seconds for one question of a hidden test."""
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
    """Seconds for the start of a kernel."""
    restarts: int = 10
    """How often a kernel that died or hangs is started again for one notebook."""
    failures: int = 2
    """How many questions about one name in a grade cell may kill the kernel or run out of time; no more are asked."""
    threads: int = 0
    """Threads for torch in a kernel; 0 leaves the choice to torch."""


@dataclass(frozen=True)
class Job:
    """All that the grading of a notebook depends on."""

    spec: NotebookSpec
    submitted: bytes
    library: Path
    """What the kernel imports, from :func:`course_lib.grading.sandbox.kernel_folder`."""
    trainings: Path
    """Folder of finished trainings."""
    limits: Limits
    language: str
    protection: Protection = "bubblewrap"
    files: Path | None = None
    """Folder whose files stand beside the notebook while it runs."""
    keep_trainings: bool = False
    """Whether to store the trainings that were done for it: only the instructor's own notebook is trusted with that."""


@dataclass
class Graded:
    """A graded notebook."""

    notebook: NotebookNode
    """Rebuilt, with the outputs of its cells."""
    result: NotebookResult
    trained: int
    """Number of trainings that were done for it and stored."""
    unchanged: set[str]
    """Ids of the solution cells that were handed in as they were given."""


def trainings_folder() -> Path:
    """Where finished trainings live; the names of the files say all that they depend on."""
    folder = cache_folder() / "trainings"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
