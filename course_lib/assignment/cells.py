"""The types of cells in an assignment, and their code."""

from textwrap import shorten
from typing import Any

from nbformat import NotebookNode

from ..results.result import printable

EXTRA = "course_lib_extra"
"""Metadata key of cells that the student added."""


def cell_name(cell: Any) -> str:
    """The grade id of a cell; empty if it has none."""
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


def is_students(cell: Any) -> bool:
    """Whether a cell of a rebuilt notebook contains the student's work: a solution cell, or an added cell."""
    return bool(cell["metadata"].get(EXTRA) or cell["metadata"].get("nbgrader", {}).get("solution"))


def first_line(cell: NotebookNode) -> str:
    """The first line of a cell, shortened. It helps a student find the cell, because Jupyter shows no ids."""
    return printable(shorten(next(iter(cell.source.strip().splitlines()), ""), 60, placeholder="..."))


def is_read_only(cell: NotebookNode) -> bool:
    """Whether a cell is read-only and carries no points."""
    meta = cell.metadata.get("nbgrader", {})
    return bool(meta.get("locked")) and not meta.get("solution") and not meta.get("grade")


def is_test_cell(cell: NotebookNode) -> bool:
    """Whether a cell is nbgrader's "Autograder tests": graded, and not itself an answer."""
    meta = cell.metadata.get("nbgrader", {})
    return bool(meta.get("grade")) and not meta.get("solution")


def is_training(cell: NotebookNode) -> bool:
    """Whether a given cell trains a model: its id begins with ``train``. Students cannot choose ids."""
    return is_read_only(cell) and cell_name(cell).startswith("train")


def language_of(metadata: Any) -> str:
    """The language of a notebook's kernel, from the notebook's metadata; empty if they do not name it."""
    for part, name in (("kernelspec", "language"), ("language_info", "name")):
        found = metadata.get(part, {})
        if isinstance(found, dict) and isinstance(found.get(name), str):
            return str(found[name])
    return ""


def is_python(language: str) -> bool:
    """Whether this is Python, whatever its version."""
    return language.casefold().startswith(("python", "ipython"))
