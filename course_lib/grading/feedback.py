"""Write a result into the autograded notebook, where formgrader and the feedback page show it.

A student sees, for each hidden test, what it checks, the verdict, the points and a hint; never its source or a value.
"""

import json
import re
from html import escape
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output

from ..messages import say
from .rebuild import cell_name
from .result import CellResult, NotebookResult, Verdict

__all__ = ["METADATA", "annotate", "cell_html", "number", "read_result", "symbol", "word"]

METADATA = "course_lib"
"""Key of the notebook's metadata that holds the result as JSON."""

_LOOK = {Verdict.PASSED: ("✓", "#1a7f37"), Verdict.NOT_ATTEMPTED: ("…", "#57606a")}
_CELL = "text-align:left;padding:.2em .8em"
_OTHER = ("✗", "#b35900")


def number(points: float) -> str:
    """Points without needless zeros: 2, 0.5."""
    return f"{points:g}"


def symbol(verdict: Verdict) -> tuple[str, str]:
    """A letter for a verdict, and its colour; neither stands without the verdict's word."""
    return _LOOK.get(verdict, _OTHER)


def word(verdict: Verdict) -> str:
    """A verdict as text, in the language in use: its letter and its word."""
    return f"{symbol(verdict)[0]} {say(f'verdict.{verdict}')}"


def cell_html(cell: CellResult) -> str:
    """The result of a grade cell as a table, in the language in use."""
    head = "".join(
        f"<th style='{_CELL}'>{escape(say(f'feedback.{name}'))}</th>" for name in ("verdict", "test", "points", "hint")
    )
    rows = []
    for test in cell.tests:
        letter, colour = symbol(test.verdict)
        verdict = f"<b style='color:{colour}'>{letter}&nbsp;{escape(say(f'verdict.{test.verdict}'))}</b>"
        points = f"{number(test.score)}&nbsp;/&nbsp;{number(test.points)}"
        texts = (verdict, escape(str(test.rationale)), points, _no_formula(escape(test.hint)))
        rows.append("<tr>" + "".join(f"<td style='{_CELL}'>{text}</td>" for text in texts) + "</tr>")
    title = say("feedback.title", score=number(cell.score), points=number(cell.points))
    return f"<p><b>{escape(title)}</b></p><table><tr>{head}</tr>{''.join(rows)}</table>"


def _no_formula(html: str) -> str:
    """HTML in which nothing is TeX: an error message could draw over the marks; MathJax takes no formula with tags."""
    return re.sub(r"[$\\]", r"<span>\g<0></span>", html)


def _text(cell: CellResult) -> str:
    lines = [say("feedback.title", score=number(cell.score), points=number(cell.points))]
    for test in cell.tests:
        verdict = f"{word(test.verdict)} ({number(test.score)}/{number(test.points)})"
        lines.append(say("labelled", name=verdict, text=f"{test.rationale} {test.hint}".rstrip()))
    return "\n".join(lines)


def annotate(notebook: NotebookNode, result: NotebookResult) -> None:
    """Add the result of each grade cell to its outputs, and what concerns the whole notebook on top."""
    by_id = {cell.grade_id: cell for cell in result.cells}
    for cell in notebook.cells:
        found = by_id.get(cell_name(cell))
        if found is not None:
            data = {"text/html": cell_html(found), "text/plain": _text(found)}
            # first: what the student's code displayed may look like it, but stands below it
            cell.outputs = [new_output("display_data", data), *cell.get("outputs", [])]
    notes = []
    if result.unreadable:
        notes.append(say("hint.unreadable", detail=result.unreadable))
    if result.repairs:
        notes.append(say("feedback.repaired", what=say("separator").join(result.repairs)))
    if notes:
        notebook.cells.insert(0, new_markdown_cell("\n\n".join(f"**⚠ {note}**" for note in notes)))
    notebook.metadata[METADATA] = result.public()


def read_result(path: Path) -> tuple[str, NotebookResult] | None:
    """The judge's result in an autograded notebook, and its key.

    None if there is no such notebook, or if another program or version wrote it, or not to its end.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())["metadata"][METADATA]
        key = content.pop("key")
        return key, NotebookResult.from_dict(content)
    except (OSError, ValueError, KeyError, TypeError):
        return None
