"""The input and output of grading a notebook: plain data that passes between processes. It is fast to import."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError, safe_open

from ..assignment.spec import NotebookSpec
from ..files import cache_folder
from ..kernel import FIGURES
from ..results.result import NotebookResult
from .limits import Limits

Protection = Literal["bubblewrap", "none"]
"""What a student's code runs in."""

Device = Literal["cpu", "cuda"]
"""Where models are trained. If each model is trained once for the class, everything else runs on the CPU, so a mark
does not depend on the machine."""


@dataclass(frozen=True)
class Unreadable:
    """A submission that cannot be read."""

    reason: str
    """Why, in the student's language."""
    is_missing: bool = False
    """Whether the submission has neither this notebook nor one that could be it under another name."""


@dataclass(frozen=True)
class GradingTask:
    """Everything that the grading of a notebook depends on."""

    spec: NotebookSpec
    submitted: bytes | Unreadable
    """The submitted file's content."""
    library: Path
    """The folder from which the kernel imports course_lib: :func:`course_lib.judge.sandbox.write_kernel_library`."""
    trainings: Path
    """Folder of finished training runs."""
    limits: Limits
    language: str
    protection: Protection = "bubblewrap"
    device: Device = "cpu"
    files: Path | None = None
    """Folder whose files are next to the notebook while it runs."""
    student_files: Mapping[str, bytes] = field(default_factory=dict)
    """The student's own files, by their path relative to the notebook. They are next to it, too."""
    execute: bool = True
    """Whether to run the notebook; otherwise, a person grades it with the outputs that the student handed in."""
    is_source: bool = False
    """Whether this is the instructor's own notebook. Only its training runs are trusted for reuse by others."""
    train_once: bool = True
    """Whether finished training runs are reused, and training ends when a model is accurate enough."""
    seed: int = 0
    """Changing it changes the random numbers in each cell and the order of sets. A right answer is unaffected."""
    key: str = ""
    """Hash of everything that the result depends on. The result is stored under this key, and contains it."""

    def after(self, seconds: Iterable[float]) -> "GradingTask":
        """A copy of the task, its time limit reduced by the ``seconds`` already spent."""
        left = max(1.0, self.limits.submission - sum(seconds))
        return replace(self, limits=replace(self.limits, submission=left))


@dataclass
class GradedNotebook:
    """A graded notebook."""

    notebook: str
    """The content of the autograded notebook file: rebuilt, with the outputs of its cells and the result."""
    result: NotebookResult
    unchanged: set[str]
    """Ids of the solution cells that were handed in unchanged."""
    trainings: list[str] = field(default_factory=list)
    """Names of the files of the instructor's training runs that it made or reused."""
    warnings: list[str] = field(default_factory=list)
    """Warnings for the instructor about the source notebook."""

    def to_json(self, key: str) -> str:
        """Everything as JSON, with the key that it is stored under."""
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
    """Where finished training runs are kept. The names of the files identify everything that they depend on."""
    return _cached("trainings")


def figures_folder() -> Path:
    """Where finished pictures are kept; see :mod:`course_lib.kernel.figures`."""
    return _cached(FIGURES)


def _cached(name: str) -> Path:
    folder = cache_folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_complete(training: Path) -> bool:
    """Whether the file of a finished training run exists, can be read and is complete."""
    try:
        with safe_open(training, "np"):
            return True
    except (OSError, SafetensorError):
        return False
