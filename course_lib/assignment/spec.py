"""The parts of an assignment, as plain data."""

from dataclasses import dataclass, field
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
    """The file or folder of hidden tests, by the id of each judged cell."""
    classic: dict[str, str] = field(default_factory=dict)
    """The full code of each classic cell (tested by its own asserts), hidden lines included, by id."""
    needs_hidden_lines: bool = False
    """Whether a later cell uses a name that only hidden lines of a classic cell define."""
    uses_course_lib: bool = False
    """Whether the source notebook imports course_lib, whose training runs and pictures are reused."""

    @property
    def automatic(self) -> list[GradeCell]:
        """The grade cells that no person grades, in the order of the notebook."""
        return [cell for cell in self.grade_cells if not cell.manual]

    def place(self, grade_id: str) -> str:
        """Where the tests of a grade cell are: their file or folder, or the cell itself."""
        path = self.tests.get(grade_id)
        return f"{self.name}.ipynb, cell '{grade_id}'" if path is None else str(path)
