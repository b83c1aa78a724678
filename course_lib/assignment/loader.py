"""Reads an assignment: its source and released notebooks, grade cells, hidden tests and expected answers."""

import ast
import contextlib
import re
from collections import Counter
from collections.abc import Container, Iterable
from fnmatch import fnmatch
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.nbgraderformat import MetadataValidator, SchemaTooNewError
from nbgrader.utils import is_grade, is_solution, is_task
from traitlets.config import Config

from ..authoring.student_code import StudentCode, parsed
from ..results.errors import AssignmentError
from ..results.result import CellResult
from .cells import cell_name, is_python, language_of
from .release import complete_notebook, faults, identifiers, release_notebook, solved_notebook
from .spec import GradeCell, NotebookSpec

# nbgrader accepts any characters around these words, such as === BEGIN MARK SCHEME ===
_SCHEME = re.compile(r"^.*BEGIN MARK SCHEME.*\n((?s:.*?))^.*END MARK SCHEME.*\n?", re.MULTILINE)
_MARKER = re.compile(r"^.*(?:BEGIN|END) SOLUTION.*\n?", re.MULTILINE)
_COMMENT = re.compile(r"^ *#+ ?", re.MULTILINE)


def load_assignment(source: Path, tests: Path, notebook: str = "*", config: Config | None = None) -> list[NotebookSpec]:
    """Read the notebooks of an assignment.

    Args:
        source: ``source/<assignment>``.
        tests: ``grader_tests/<assignment>``.
        notebook: a pattern that the names of the notebooks must match.
        config: nbgrader's configuration, which may change markers and stubs.

    Raises:
        AssignmentError: if no notebook matches, a notebook cannot be graded, or two notebooks share the id of a cell
            that has hidden tests.
    """
    paths = [path for path in sorted(source.glob("*.ipynb")) if fnmatch(path.stem, notebook)]
    specs = [load_notebook_spec(path, tests, config) for path in paths]
    if not specs:
        raise AssignmentError(f"{source}: no notebook matches '{notebook}'")
    names = Counter(name for spec in specs for name in spec.tests)
    twice = sorted(name for name, n in names.items() if n > 1)
    if twice:
        raise AssignmentError(
            f"{source}: several notebooks have a cell {', '.join(twice)}, so it is unclear to which one the hidden "
            f"tests in {tests} belong. Rename the cell in one of the notebooks"
        )
    classic = [name for spec in specs for name in spec.classic]
    if notebook == "*" and classic and (stray := stray_tests(tests, names.keys() | set(classic))):
        raise AssignmentError(
            f"{', '.join(map(str, stray))}: no grade cell has this name, and there are no hidden tests for "
            f"{', '.join(classic)}. Name the file after its cell, or remove it"
        )
    return specs


def stray_tests(tests: Path, cells: Container[str]) -> list[Path]:
    """The files of hidden tests that have the name of no grade cell."""
    return [
        path
        for path in sorted(tests.glob("*.py"))
        if path.stem not in cells and "@hidden_test(" in path.read_text(encoding="utf-8", errors="replace")
    ]


def check_points(spec: NotebookSpec, cells: Iterable[CellResult]) -> None:
    """Check that the hidden tests of each grade cell add up to the cell's points.

    Args:
        spec: the notebook.
        cells: the results of its hidden tests, whose points are compared.


    Raises:
        AssignmentError: if they do not; the message names the cell.
    """
    tested = {cell.grade_id: cell.points for cell in cells}
    for cell in spec.automatic:
        if cell.grade_id in spec.tests and tested[cell.grade_id] != cell.points:
            raise AssignmentError(
                f"{spec.tests[cell.grade_id]}: its tests add up to {tested[cell.grade_id]:g} points, the cell "
                f"'{cell.grade_id}' of {spec.name}.ipynb has {cell.points:g}. Two tests of the same name count as one."
            )


def load_notebook_spec(source: Path, tests: Path, config: Config | None = None) -> NotebookSpec:
    """Read one source notebook and find its hidden tests.

    Args:
        source: ``source/<assignment>/<notebook>.ipynb``.
        tests: ``grader_tests/<assignment>``.
        config: nbgrader's configuration, which may change markers and stubs.

    Raises:
        AssignmentError: if the notebook cannot be released, or a grade cell has both a file and a folder of tests.
    """
    notebook = NotebookNode(cells=[])
    try:
        original = _read(source)
    except Exception as error:
        raise AssignmentError(f"{source}: cannot be read as a notebook: {error}") from error
    language = language_of(original.metadata)
    if language and not is_python(language):
        raise AssignmentError(
            f"{source}: the language of its kernel is {language!r}, but only Python can be graded. Choose a Python "
            "kernel (in Jupyter: Kernel, Change Kernel), or grade this assignment with nbgrader alone"
        )
    try:
        notebook = complete_notebook(original, source.parent, config)
        skeleton, solved = release_notebook(notebook, config), solved_notebook(notebook, config)
    except Exception as error:  # nbformat and nbgrader raise plain RuntimeErrors here
        what = f"{source}: cannot be turned into a student's notebook: {error}"
        raise AssignmentError("\n".join([what, *faults(notebook.cells)])) from error
    cells: list[GradeCell] = []
    solution = ""
    for cell in skeleton.cells:
        if is_solution(cell):
            solution = cell.metadata.nbgrader.grade_id
        if is_grade(cell):
            meta = cell.metadata.nbgrader
            cells.append(GradeCell(meta.grade_id, float(meta.points), bool(meta.solution), solution))
        elif is_task(cell):
            meta = cell.metadata.nbgrader
            cells.append(GradeCell(meta.grade_id, float(meta.points), True, ""))
    automatic = [cell.grade_id for cell in cells if not cell.manual]
    found = {}
    for name in automatic:
        candidates = [tests / f"{name}.py", tests / name]
        there = [path for path in candidates if path.exists()]
        if len(there) == 2:
            raise AssignmentError(f"{source}, cell '{name}': has hidden tests twice: {there[0]} and {there[1]}/")
        if there:
            found[name] = there[0]
    sources = {cell_name(cell): cell.source for cell in notebook.cells}
    classic = {name: sources[name] for name in automatic if name not in found}
    return NotebookSpec(
        source.parent.name,
        source.stem,
        notebook,
        skeleton,
        solved,
        cells,
        found,
        classic,
        needs_hidden_lines=uses_hidden_names(notebook, solved, classic),
        uses_course_lib="course_lib" in identifiers(notebook),
    )


def _read(source: Path) -> NotebookNode:
    """Read a notebook, and give its cells the same ids each time: nbformat makes random ids, or omits them."""
    notebook, again = (nbformat.read(source, as_version=4) for _ in range(2))
    for number, (cell, other) in enumerate(zip(notebook.cells, again.cells, strict=True), 1):
        if "id" not in cell or cell.id != other.id:
            cell.id = f"cell-{number}"
            notebook.nbformat_minor = 5  # the first version with ids
    with contextlib.suppress(SchemaTooNewError):  # nbgrader says so later
        MetadataValidator().upgrade_notebook_metadata(notebook)
    return notebook


def hidden_names(spec: NotebookSpec) -> set[str]:
    """The names that only the hidden regions of the source notebook define, so that students do not have them."""

    def defined(notebook: NotebookNode) -> set[str]:
        return StudentCode([cell.source for cell in notebook.cells if cell.cell_type == "code"]).names

    return defined(spec.source) - defined(spec.solved)


def uses_hidden_names(source: NotebookNode, solved: NotebookNode, classic: Container[str]) -> bool:
    """Whether a cell uses a name that only hidden lines of an earlier classic cell define.

    Args:
        source: the instructor's notebook.
        solved: the same without hidden lines.
        classic: the ids of the classic cells.
    """
    hidden = set[str]()
    for cell, shown in zip(source.cells, solved.cells, strict=True):
        if cell.cell_type != "code":
            continue
        tree = parsed(cell.source)
        if tree is not None and any(isinstance(node, ast.Name) and node.id in hidden for node in ast.walk(tree)):
            return True
        visible = StudentCode([shown.source]).names
        hidden -= visible
        if cell_name(cell) in classic:
            hidden |= StudentCode([cell.source]).names - visible
    return False


def expected_answers(source: NotebookNode) -> dict[str, tuple[str, str]]:
    """The answers of an instructor's notebook.

    Args:
        source: the notebook.

    Returns:
        The answer and the mark scheme of each solution cell and task, by id. Either may be empty: a task has only a
        mark scheme. In a code cell, the comment signs of the mark scheme are removed.
    """
    found = {}
    for cell in source.cells:
        if is_solution(cell) or is_task(cell):
            answer = _MARKER.sub("", _SCHEME.sub("", cell.source)).strip("\n") if is_solution(cell) else ""
            scheme = "\n".join(_SCHEME.findall(cell.source)).strip("\n")
            scheme = _COMMENT.sub("", scheme) if cell.cell_type == "code" else scheme
            found[cell.metadata.nbgrader.grade_id] = answer, scheme
    return found
