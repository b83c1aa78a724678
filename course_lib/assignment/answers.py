"""Right and wrong answers, written by the author to try out the hidden tests.

They are in ``FOLDER/<solution cell>/<right or wrong>/*.py``.

The first line of a file may describe the answer, as a comment. If the answer is wrong, the next line may name the
hidden tests that it must fail::

    # The maximum is not subtracted.
    # fails: test_large_logits_do_not_overflow
    def softmax(logits):
        return logits.exp() / logits.exp().sum(1, keepdim=True)

The rest is the answer, as a student would write it into the cell.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode
from nbgrader.utils import is_solution

from ..results.errors import AssignmentError
from .cells import cell_name
from .spec import NotebookSpec

FAILS = "# fails: "


@dataclass(frozen=True)
class Answer:
    """An answer to one solution cell."""

    path: Path
    cell: str
    """The id of the solution cell."""
    is_right: bool
    about: str
    """What the answer does; empty if its file does not say."""
    fails: frozenset[str]
    """The hidden tests that it must fail; empty if the answer is correct, or if failing any test is enough."""
    code: str

    def notebook(self, spec: NotebookSpec) -> NotebookNode:
        """The notebook of a student who gives this answer, and the instructor's answers in the other cells."""
        notebook = deepcopy(spec.solved)
        for cell in notebook.cells:
            if cell_name(cell) == self.cell:
                cell.source = self.code
        return notebook


def read_answers(folder: Path, specs: Sequence[NotebookSpec]) -> list[Answer]:
    """The answers in ``folder`` to the cells of an assignment's notebooks.

    Raises:
        AssignmentError: if there are none, or if a folder matches no solution cell; the message says how to fix it.
    """
    cells = {cell_name(cell) for spec in specs for cell in spec.skeleton.cells if is_solution(cell)}
    paths = sorted(path for kind in ("right", "wrong") for path in folder.glob(f"*/{kind}/*.py"))
    if not paths:
        raise AssignmentError(f"{folder} has no answers: write {folder}/{min(cells, default='CELL')}/right/NAME.py")
    if unknown := sorted({path.parents[1].name for path in paths} - cells):
        known = ", ".join(sorted(cells))
        raise AssignmentError(f"{folder / unknown[0]}: no solution cell has this id; the solution cells are {known}")
    return [read_answer(path) for path in paths]


def read_answer(path: Path) -> Answer:
    """The answer in one file."""
    lines, about, fails = path.read_text(encoding="utf-8").splitlines(), "", ""
    if lines and lines[0].startswith("# ") and not lines[0].startswith(FAILS):
        about = lines.pop(0).removeprefix("# ").strip()
    if lines and lines[0].startswith(FAILS):
        fails = lines.pop(0).removeprefix(FAILS)
    named = frozenset(filter(None, map(str.strip, fails.split(","))))
    return Answer(path, path.parents[1].name, path.parent.name == "right", about, named, "\n".join(lines).strip())
