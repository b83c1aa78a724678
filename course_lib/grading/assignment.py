"""An assignment as the judge sees it: the skeleton of its notebooks, its grade cells, its hidden tests."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution

from .errors import AssignmentError
from .release import release_notebook

__all__ = ["GradeCell", "NotebookSpec", "expected_answers", "load_notebook_spec"]

_SCHEME = re.compile(r"^ *### BEGIN MARK SCHEME *\n(.*?)^ *### END MARK SCHEME *\n?", re.MULTILINE | re.DOTALL)
_MARKER = re.compile(r"^ *### (?:BEGIN|END) SOLUTION *\n?", re.MULTILINE)


@dataclass(frozen=True)
class GradeCell:
    """A cell that carries points."""

    grade_id: str
    points: float
    manual: bool
    """Whether a person grades it: a free-text answer."""
    solution: str
    """Id of the solution cell that it grades: the last one before it; itself for a free text."""


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
    tests: dict[str, Path] = field(default_factory=dict)
    """Hidden test file or folder of each grade cell that is graded automatically."""

    @property
    def automatic(self) -> list[GradeCell]:
        """The grade cells that hidden tests grade, in the order of the notebook."""
        return [cell for cell in self.grade_cells if not cell.manual]


def load_notebook_spec(source: Path, tests: Path) -> NotebookSpec:
    """Read one source notebook and find its hidden tests.

    Args:
        source: ``source/<assignment>/<notebook>.ipynb``.
        tests: ``grader_tests/<assignment>``.

    Raises:
        AssignmentError: if the notebook cannot be released, or a grade cell has no hidden tests.
    """
    try:
        notebook = nbformat.read(source, as_version=4)
        skeleton = release_notebook(notebook)
    except Exception as error:  # nbformat and nbgrader raise plain RuntimeErrors here
        raise AssignmentError(f"{source}: cannot be turned into a student's notebook: {error}") from error
    cells: list[GradeCell] = []
    solution = ""
    for cell in skeleton.cells:
        if is_solution(cell):
            solution = cell.metadata.nbgrader.grade_id
        if is_grade(cell):
            meta = cell.metadata.nbgrader
            cells.append(GradeCell(meta.grade_id, float(meta.points), bool(meta.solution), solution))
    found = {}
    for grade_cell in cells:
        if grade_cell.manual:
            continue
        candidates = [tests / f"{grade_cell.grade_id}.py", tests / grade_cell.grade_id]
        there = [path for path in candidates if path.exists()]
        if len(there) != 1:
            problem = "has no hidden tests" if not there else "has hidden tests twice"
            raise AssignmentError(
                f"{source}, cell '{grade_cell.grade_id}': {problem}; expected {candidates[0]} or {candidates[1]}/"
            )
        found[grade_cell.grade_id] = there[0]
    return NotebookSpec(source.parent.name, source.stem, notebook, skeleton, cells, found)


def expected_answers(source: NotebookNode) -> dict[str, tuple[str, str]]:
    """The answers of an instructor's notebook by solution cell, each with its mark scheme, which may be empty."""
    return {
        cell.metadata.nbgrader.grade_id: (
            _MARKER.sub("", _SCHEME.sub("", cell.source)).strip("\n"),
            "\n".join(_SCHEME.findall(cell.source)).strip("\n"),
        )
        for cell in source.cells
        if is_solution(cell)
    }
