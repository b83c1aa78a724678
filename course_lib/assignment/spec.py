"""The parts of an assignment, as plain data."""

from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode


@dataclass(frozen=True)
class GradeCell:
    """A cell with points."""

    grade_id: str
    points: float
    manual: bool
    """Whether a person grades the cell: a free-text answer or a task."""
    solution: str
    """Id of the solution cell that it grades: the last one before it, itself for a free text, or "" for a task."""


@dataclass(frozen=True)
class NotebookSpec:
    """One notebook of an assignment."""

    assignment: str
    name: str
    source: NotebookNode
    """The instructor's notebook, with answers."""
    skeleton: NotebookNode
    """The notebook that students get."""
    solved: NotebookNode
    """The notebook of a student who gives the instructor's answers."""
    grade_cells: list[GradeCell]
    tests: dict[str, Path]
    """The file or folder of hidden tests, by the id of each automatically graded cell."""

    @property
    def automatic(self) -> list[GradeCell]:
        """The grade cells with hidden tests, in the order of the notebook."""
        return [cell for cell in self.grade_cells if not cell.manual]
