"""Where the files of one assignment are."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .result_cache import RESULTS


@dataclass(frozen=True)
class AssignmentFolders:
    """Where the files of one assignment are. The functions take a student's id."""

    assignment: str
    course: Path
    source: Path
    hidden_tests: Path
    graded: Path
    """nbgrader's folder of graded submissions, of all students: lock and result cache are in it."""
    submitted: Callable[[str], Path]
    autograded: Callable[[str], Path]
    feedback: Callable[[str], Path]
    ignored: tuple[str, ...]
    """Patterns of files that nbgrader is told to ignore: students never get them."""

    @property
    def results(self) -> Path:
        """The folder of the result cache."""
        return self.graded / RESULTS
