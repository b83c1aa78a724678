"""Write a result into the autograded notebook, where formgrader and the feedback page show it.

A student sees, for each hidden test, what it checks, the verdict, the points and a hint; never its source or a value.
"""

import json
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output

from ..assignment.cells import cell_name
from ..authoring.result import NotebookResult
from ..authoring.result_html import cell_html, cell_text
from ..messages import say

__all__ = ["METADATA", "annotate", "read_result"]

METADATA = "course_lib"
"""Key of the notebook's metadata that holds the result as JSON."""


def annotate(notebook: NotebookNode, result: NotebookResult) -> None:
    """Add the result of each grade cell to its outputs, and what concerns the whole notebook on top."""
    by_id = {cell.grade_id: cell for cell in result.cells}
    for cell in notebook.cells:
        found = by_id.get(cell_name(cell))
        if found is not None:
            data = {"text/html": cell_html(found), "text/plain": cell_text(found)}
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
