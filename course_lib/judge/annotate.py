"""Write a result into the autograded notebook, where formgrader and the feedback page show it.

For each hidden test, students see what it checks, the verdict, the points and a hint. They never see its source or an
expected value.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output

from ..assignment.cells import cell_name
from ..messages import say
from ..results.result import NotebookResult
from ..results.result_html import cell_html, cell_text

METADATA = "course_lib"
"""The key in the notebook's metadata that holds the result as JSON."""


def annotate(notebook: NotebookNode, result: NotebookResult, key: str = "") -> None:
    """Add the result of each grade cell to its outputs, and notes about the whole notebook as a first cell.

    Args:
        notebook: the notebook to change.
        result: the judge's result; what students may see of it goes into the notebook's metadata.
        key: the result's cache key.
    """
    results = {cell.grade_id: cell for cell in result.cells}
    for cell in notebook.cells:
        cell_result = results.get(cell_name(cell))
        if cell_result is not None:
            data = {"text/html": cell_html(cell_result), "text/plain": cell_text(cell_result)}
            # the result comes first: the student's code may display a forged one, but only below it
            cell.outputs = [new_output("display_data", data), *cell.get("outputs", [])]
    notes = []
    if result.unreadable:
        notes.append(say("hint.unreadable", detail=result.unreadable))
    if result.repairs:
        notes.append(say("feedback.repaired", what=say("separator").join(result.repairs)))
    if notes:
        notebook.cells.insert(0, new_markdown_cell("\n\n".join(f"**⚠ {note}**" for note in notes)))
    notebook.metadata[METADATA] = result.public() | {"key": key}


def read_result(path: Path) -> tuple[str, NotebookResult] | None:
    """Read the judge's result from an autograded notebook.

    Returns:
        The cache key of the result, and the result. None if there is no such notebook, if it is incomplete, or if
        another program or another version of the kit wrote it.
    """
    try:
        return result_in(json.loads(path.read_bytes())["metadata"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def result_in(metadata: Mapping[str, Any]) -> tuple[str, NotebookResult] | None:
    """As :func:`read_result`, from the metadata of an autograded notebook."""
    try:
        content = dict(metadata[METADATA])
        key = content.pop("key")
        return key, NotebookResult.from_dict(content)
    except (ValueError, KeyError, TypeError):
        return None


def without_times(notebook: str) -> str:
    """An autograded notebook without the seconds that its grading took."""
    content = json.loads(notebook)
    content["metadata"][METADATA] |= {"seconds": 0.0, "phases": {}}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"
