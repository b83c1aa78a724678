"""What grading a notebook takes and gives: plain data that passes between processes, and imports nothing slow."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError, safe_open

from ..assignment.spec import NotebookSpec
from ..authoring.result import NotebookResult
from ..files import cache_folder
from ..kernel import FIGURES

__all__ = [
    "Device",
    "GradedNotebook",
    "GradingTask",
    "Limits",
    "Protection",
    "figures_folder",
    "is_whole",
    "trainings_folder",
]

Protection = Literal["bubblewrap", "none"]
"""What a student's code runs in."""

Device = Literal["cpu", "cuda"]
"""Where models are trained. As long as that is done once for all, everything else computes on the CPU: so a mark does
not depend on the grader's machine."""


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


@dataclass(frozen=True)
class GradingTask:
    """All that the grading of a notebook depends on."""

    spec: NotebookSpec
    submitted: bytes | str
    """What was handed in, or why it cannot be read."""
    library: Path
    """What the kernel imports, from :func:`course_lib.judge.sandbox.kernel_folder`."""
    trainings: Path
    """Folder of finished trainings."""
    limits: Limits
    language: str
    protection: Protection = "bubblewrap"
    device: Device = "cpu"
    files: Path | None = None
    """Folder whose files stand beside the notebook while it runs."""
    reference: bool = False
    """Whether it is the instructor's own notebook: only that is trusted to leave its trainings for others."""
    train_once: bool = True
    """Whether finished trainings are reused, and trainings end when a model is accurate enough."""
    key: str = ""
    """Hash of all that the result depends on: it is stored under this name, and carries it."""


@dataclass
class GradedNotebook:
    """A graded notebook."""

    notebook: str
    """The autograded notebook as a file's text: rebuilt, with the outputs of its cells, and the result in it."""
    result: NotebookResult
    unchanged: set[str]
    """Ids of the solution cells that were handed in as they were given."""
    trainings: list[str] = field(default_factory=list)
    """Of the instructor's own notebook: the names of the finished trainings that it made or used."""

    def to_json(self, key: str) -> str:
        """All of it as JSON, with the key that it is stored under."""
        return json.dumps(asdict(self) | {"unchanged": sorted(self.unchanged), "key": key})

    @classmethod
    def from_json(cls, text: str, key: str) -> "GradedNotebook":
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError, KeyError, TypeError or RecursionError: if ``text`` is something else, or has another key.
        """
        fields = json.loads(text)
        if fields["key"] != key:
            raise ValueError(f"the result of {fields['key']}, not of {key}")
        result = NotebookResult.from_dict(fields["result"])
        return cls(fields["notebook"], result, set(fields["unchanged"]), fields["trainings"])


def trainings_folder() -> Path:
    """Where finished trainings live; the names of the files say all that they depend on."""
    return _cached("trainings")


def figures_folder() -> Path:
    """Where finished pictures live, likewise; see :mod:`course_lib.kernel.figures`."""
    return _cached(FIGURES)


def _cached(name: str) -> Path:
    folder = cache_folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_whole(training: Path) -> bool:
    """Whether the file of a finished training is there, can be read, and was not cut off."""
    try:
        with safe_open(training, "np"):
            return True
    except (OSError, SafetensorError):
        return False
