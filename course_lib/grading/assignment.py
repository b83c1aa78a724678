"""Reads an assignment: the skeleton of its notebooks, their grade cells, hidden tests and expected answers."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution

from .errors import AssignmentError
from .job import GradeCell, NotebookSpec
from .release import release_notebook

__all__ = ["expected_answers", "load_notebook_spec"]

_SCHEME = re.compile(r"^ *### BEGIN MARK SCHEME *\n(.*?)^ *### END MARK SCHEME *\n?", re.MULTILINE | re.DOTALL)
_MARKER = re.compile(r"^ *### (?:BEGIN|END) SOLUTION *\n?", re.MULTILINE)


def load_notebook_spec(source: Path, tests: Path) -> NotebookSpec:
    """Read one source notebook and find its hidden tests.

    Args:
        source: ``source/<assignment>/<notebook>.ipynb``.
        tests: ``grader_tests/<assignment>``.

    Raises:
        AssignmentError: if the notebook cannot be released, or a grade cell has no hidden tests.
    """
    notebook = NotebookNode(cells=[])
    try:
        notebook = nbformat.read(source, as_version=4)
        skeleton = release_notebook(notebook)
    except Exception as error:  # nbformat and nbgrader raise plain RuntimeErrors here
        what = f"{source}: cannot be turned into a student's notebook: {error}"
        raise AssignmentError("\n".join([what, *_faults(notebook.cells)])) from error
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


def _faults(cells: Sequence[NotebookNode]) -> Iterator[str]:
    """What nbgrader does not say: in which cells of a notebook the author was careless."""
    names = Counter(str(cell.metadata.get("nbgrader", {}).get("grade_id")) for cell in cells)
    yield from (f"two cells are called '{name}'" for name, n in names.items() if n > 1 and name != "None")
    for number, cell in enumerate(cells, 1):
        for block in ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME"):
            if cell.source.count(f"### BEGIN {block}") != cell.source.count(f"### END {block}"):
                name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
                yield f"cell {number} '{name}': ### BEGIN {block} and ### END {block} do not go together"


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
