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
    """nbgrader's folder of the graded submissions of all students. It also has the lock and the result cache."""
    submitted: Callable[[str], Path]
    autograded: Callable[[str], Path]
    feedback: Callable[[str], Path]
    ignored: tuple[str, ...]
    """Patterns of files that nbgrader is configured to ignore. Students never get these files."""

    @property
    def results(self) -> Path:
        """The folder of the result cache."""
        return self.graded / RESULTS
