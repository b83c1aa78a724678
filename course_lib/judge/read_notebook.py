"""Read the notebook file that a student submitted. The file may be damaged, out of date or hostile."""

import hashlib
import json
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbformat import NotebookNode

from ..assignment.cells import cell_name
from ..messages import say

PICTURES = ("image/png", "image/jpeg")
"""The MIME types of the pictures that are kept. A notebook stores these pictures as base64."""


class UnreadableNotebook(Exception):
    """The submitted file is not a notebook. The message is the reason, in the student's language."""


@dataclass(frozen=True)
class SubmittedCell:
    """The parts of a submitted cell that matter for grading, each with its right type."""

    is_code: bool
    source: str
    grade_id: str | None = None
    """nbgrader's name of the cell."""
    id: str | None = None
    """nbformat's id of the cell."""
    attachments: dict[str, dict[str, str]] = field(default_factory=dict)
    """Pictures pasted into the cell: file name -> MIME type -> base64."""
    intact: bool = False
    """Whether the cell still matches the checksum that nbgrader wrote into it at the release."""


def read_notebook(content: bytes) -> list[SubmittedCell]:
    """Read the cells of a submitted notebook, of any nbformat version.

    Raises:
        UnreadableNotebook: if no cells can be found in ``content``.
    """
    try:
        text = content.decode("utf-8-sig")
        data = json.loads(text)  # nbformat parses JSON, too, but its error does not give the line
        _drop_outputs(data)
        with warnings.catch_warnings():  # nbformat warns about missing and duplicate ids, and adds or replaces them
            warnings.simplefilter("ignore")
            notebook = nbformat.reads(json.dumps(data), as_version=4)
        return [_submitted_cell(cell) for cell in notebook.cells if isinstance(cell.get("source", ""), str)]
    except UnicodeDecodeError as error:
        raise UnreadableNotebook("UTF-8") from error
    except json.JSONDecodeError as error:
        reason = say("rebuild.json", line=error.lineno) if content.strip() else say("rebuild.empty")
        raise UnreadableNotebook(reason) from error
    except Exception as error:  # nbformat raises many types if a file is JSON but not a notebook
        raise UnreadableNotebook(say("rebuild.no_notebook")) from error


def read_metadata(content: bytes) -> dict[str, Any]:
    """The notebook's metadata; empty if ``content`` is not a notebook."""
    try:
        metadata = json.loads(content.decode("utf-8-sig"))["metadata"]
    except Exception:  # rebuilding the notebook will say why
        return {}
    return metadata if isinstance(metadata, dict) else {}


def restore_outputs(notebook: NotebookNode, content: bytes) -> None:
    """Give the cells of a rebuilt notebook the outputs that they have in the submitted one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        submitted = nbformat.reads(content.decode("utf-8-sig"), as_version=4)
    code = [cell for cell in submitted.cells if cell.cell_type == "code"]
    by_name = {cell_name(cell) or cell.source: cell for cell in code}
    for cell in notebook.cells:
        name = cell_name(cell) or cell.source
        if cell.cell_type == "code" and name in by_name:
            cell.outputs, cell.execution_count = by_name[name].outputs, by_name[name].execution_count


def _drop_outputs(data: Any) -> None:
    """Remove the outputs: the judge runs every cell again, and nbformat is slow on large or odd outputs."""
    for part in [data, *data.get("worksheets", [])]:  # up to nbformat 3, a notebook has worksheets
        for cell in part.get("cells", []):
            if "outputs" in cell:
                cell["outputs"] = []


def _submitted_cell(cell: Any) -> SubmittedCell:
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    cell_id = cell.get("id")
    source = cell.get("source", "").replace("\r\n", "\n")
    return SubmittedCell(
        is_code=cell.get("cell_type") == "code",
        source=source.encode("utf-8", "replace").decode(),  # half a surrogate pair cannot be written to a file
        grade_id=grade_id if isinstance(grade_id, str) else None,
        id=cell_id if isinstance(cell_id, str) else None,
        attachments=_pictures(cell.get("attachments")),
        intact=_is_intact(cell),
    )


def _pictures(attachments: Any) -> dict[str, dict[str, str]]:
    """The pictures among the attachments of a cell: for each file, only the last MIME type in :data:`PICTURES`."""
    pictures: dict[str, dict[str, str]] = {}
    for name, data in attachments.items() if isinstance(attachments, dict) else ():
        for mime_type in PICTURES:
            value = data.get(mime_type) if isinstance(data, dict) else None
            if isinstance(name, str) and isinstance(value, str) and is_base64(value):
                pictures[name] = {mime_type: value}
    return pictures


def is_base64(text: str) -> bool:
    """Whether ``text`` has only base64 characters, so that a page cannot mistake it for markup."""
    return re.fullmatch(r"[A-Za-z0-9+/=\s]*", text) is not None


def _is_intact(cell: Any) -> bool:
    """Whether a cell still matches the checksum that nbgrader wrote into it at the release.

    A student who forges the checksum gains nothing: the judge then replaces the cell with the one from the source.
    """
    try:
        meta = cell.metadata.nbgrader
        return bool(meta.checksum == checksum(cell, meta))
    except Exception:  # the checksum is missing, or the metadata has other types than nbgrader's
        return False


def checksum(cell: Any, meta: Any) -> str:
    """The checksum that nbgrader computes. Importing its ``compute_checksum`` would cost each worker a second."""
    grade, solution = meta.get("grade", False), meta.get("solution", False)
    locked = not solution and (grade or meta.get("locked", False))
    parts = [cell.source, cell.cell_type, *map(str, (grade, solution, locked)), meta["grade_id"]]
    parts += [str(float(meta["points"]))] if grade else []
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()
