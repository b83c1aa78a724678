"""What a cell of an assignment is."""

import ast
import warnings
from textwrap import shorten
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from ..authoring.result import printable

__all__ = ["cell_name", "is_own", "parsed"]

EXTRA = "course_lib_extra"
"""Metadata key that marks a cell of the student's own."""


def parsed(source: str) -> ast.Module | None:
    """A code cell as IPython runs it; None where that is no Python."""
    try:
        with warnings.catch_warnings():  # "\\d" and the like: the student reads of them, not who grades
            warnings.simplefilter("ignore")
            code: ast.Module = ast.parse(TransformerManager().transform_cell(source))
    except Exception:  # a SyntaxError, and what deep or endless input makes of IPython
        return None
    return code


def cell_name(cell: Any) -> str:
    """The name that nbgrader knows a cell by, its grade id; empty where it has none."""
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


def is_own(cell: Any) -> bool:
    """Whether a cell of a rebuilt notebook has what the student wrote: a solution cell, or one beside them."""
    return bool(cell["metadata"].get(EXTRA) or cell["metadata"].get("nbgrader", {}).get("solution"))


def first_line(cell: NotebookNode) -> str:
    """How a cell begins, for a student to find it: only some have an id, and Jupyter shows none."""
    return printable(shorten(next(iter(cell.source.strip().splitlines()), ""), 60, placeholder="..."))


def is_given(cell: NotebookNode) -> bool:
    """A cell of the assignment that students cannot edit, and that grades nothing."""
    meta = cell.metadata.get("nbgrader", {})
    return bool(meta.get("locked")) and not meta.get("solution") and not meta.get("grade")


def is_check(cell: NotebookNode) -> bool:
    """A cell with the visible checks of an answer."""
    meta = cell.metadata.get("nbgrader", {})
    return bool(meta.get("grade")) and not meta.get("solution")


def is_training(cell: NotebookNode) -> bool:
    """A given cell that trains a model. Students cannot give their own cells more time: the id is the skeleton's."""
    return is_given(cell) and cell_name(cell).startswith("train")
