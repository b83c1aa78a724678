"""The marks of a class as a text table: students, points per grade cell, verdicts."""

from collections import Counter
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook

from ..messages import say
from .feedback import METADATA, number
from .gradebook import automatic_marks
from .result import Verdict

__all__ = ["marks_table"]


def _verdicts(path: Path) -> str:
    """The verdicts in an autograded notebook other than passed, with their numbers."""
    cells = nbformat.read(path, as_version=4).metadata[METADATA]["cells"]
    found = Counter(test["verdict"] for cell in cells for test in cell["tests"] if test["verdict"] != Verdict.PASSED)
    return ", ".join(f"{count} {say(f'verdict.{verdict}')}" for verdict, count in found.items()) or say(
        "table.all_passed"
    )


def marks_table(gradebook: Gradebook, assignment: str, autograded: Path) -> str:
    """One line for each student: automatic points per grade cell, their sum, and what the hidden tests found.

    Args:
        gradebook: an open gradebook.
        assignment: name of the assignment.
        autograded: nbgrader's folder of graded submissions.
    """
    cells = [
        cell.name
        for notebook in gradebook.find_assignment(assignment).notebooks
        for cell in notebook.grade_cells
        if cell.cell_type == "code"
    ]
    rows = [
        [say("table.student"), *(name.removeprefix("test_") for name in cells), say("table.sum"), say("table.verdicts")]
    ]
    for submission in sorted(gradebook.assignment_submissions(assignment), key=lambda s: str(s.student.id)):
        scores = automatic_marks(submission)
        found = ", ".join(
            _verdicts(autograded / submission.student.id / assignment / f"{notebook.name}.ipynb")
            for notebook in submission.notebooks
        )
        points = [scores[name] or 0.0 for name in cells]
        rows.append([submission.student.id, *map(number, points), number(sum(points)), found])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *middle, last = (text for text in row)
        middle = [text.rjust(width) for text, width in zip(middle, widths[1:-1], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *middle, last]).rstrip())
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
