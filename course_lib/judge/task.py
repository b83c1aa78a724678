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
from .limits import Limits

Protection = Literal["bubblewrap", "none"]
"""What a student's code runs in."""

Device = Literal["cpu", "cuda"]
"""Where models are trained. As long as that is done once for all, everything else computes on the CPU: so a mark does
not depend on the grader's machine."""


@dataclass(frozen=True)
class Unreadable:
    """Stands for a submission that cannot be read."""

    reason: str
    """Why, in the student's language."""


@dataclass(frozen=True)
class GradingTask:
    """All that the grading of a notebook depends on."""

    spec: NotebookSpec
    submitted: bytes | Unreadable
    """The submitted file's content."""
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
    seed: int = 0
    """Another one draws other random numbers in each cell, and orders sets otherwise: a right answer does not care."""
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
    warnings: list[str] = field(default_factory=list)
    """For the instructor, from the instructor's own notebook."""

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
        return cls(fields["notebook"], result, set(fields["unchanged"]), fields["trainings"], fields["warnings"])


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
