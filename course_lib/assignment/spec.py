"""What an assignment consists of: plain data."""

from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

__all__ = ["GradeCell", "NotebookSpec"]


@dataclass(frozen=True)
class GradeCell:
    """A cell that carries points."""

    grade_id: str
    points: float
    manual: bool
    """Whether a person grades it: a free-text answer or a task."""
    solution: str
    """Id of the solution cell that it grades: the last one before it; itself for a free text, empty for a task."""


@dataclass(frozen=True)
class NotebookSpec:
    """One notebook of an assignment."""

    assignment: str
    name: str
    source: NotebookNode
    """The instructor's notebook, answers included."""
    skeleton: NotebookNode
    """The notebook that students were given."""
    grade_cells: list[GradeCell]
    tests: dict[str, Path]
    """Hidden test file or folder of each grade cell that is graded automatically."""

    @property
    def automatic(self) -> list[GradeCell]:
        """The grade cells that hidden tests grade, in the order of the notebook."""
        return [cell for cell in self.grade_cells if not cell.manual]
