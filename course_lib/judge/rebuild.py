"""Put a submission back into the shape of the assignment: the skeleton from the source, the answers from the student.

Only the student's solution cells and own extra cells are taken over. Everything that is given comes from the source
notebook, whatever the submission made of it: its text, its metadata, its order, its locks and its points.
"""

import ast
import hashlib
import itertools
import json
import re
import warnings
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from ..assignment.cells import EXTRA, parsed
from ..messages import say

__all__ = ["PICTURES", "Rebuilt", "UnreadableNotebook", "is_base64", "read_notebook", "rebuild"]

PICTURES = ("image/png", "image/jpeg")
"""The kinds of pictures that are kept, as base64."""


class UnreadableNotebook(Exception):
    """The submitted bytes are no notebook; the message says why."""


@dataclass
class Rebuilt:
    """A submission in the shape of the assignment."""

    notebook: NotebookNode
    unchanged: set[str] = field(default_factory=set)
    """Ids of the solution cells that were handed in as they were given, or without any code, and with no text of the
    student's beside a question."""
    repairs: list[str] = field(default_factory=list)
    """What had to be mended, in the student's language."""


def read_notebook(content: bytes) -> list[NotebookNode]:
    """The cells of a submitted notebook, of any nbformat version.

    Raises:
        UnreadableNotebook: when there is no way to find cells in it.
    """
    try:
        text = content.decode("utf-8-sig")
        data = json.loads(text)  # says where the JSON is at fault
        _drop_outputs(data)
        with warnings.catch_warnings():  # cells without an id, or with a duplicate one: expected, and mended below
            warnings.simplefilter("ignore")
            notebook = nbformat.reads(json.dumps(data), as_version=4)
        return [cell for cell in map(_plain_cell, notebook.cells) if cell is not None]
    except UnicodeDecodeError as error:
        raise UnreadableNotebook("UTF-8") from error
    except json.JSONDecodeError as error:
        where = say("rebuild.json", line=error.lineno) if content.strip() else say("rebuild.empty")
        raise UnreadableNotebook(where) from error
    except Exception as error:  # whatever nbformat meets in a file that is JSON but no notebook
        raise UnreadableNotebook(say("rebuild.no_notebook")) from error


def _drop_outputs(data: Any) -> None:
    """Remove what is run again anyway: nbformat takes long over large or odd outputs."""
    for part in [data, *data.get("worksheets", [])]:  # nbformat 3 and before had worksheets
        for cell in part.get("cells", []):
            if "outputs" in cell:
                cell["outputs"] = []


def _plain_cell(cell: Any) -> NotebookNode | None:
    """``cell`` with the parts that matter, in their right types; None when it has no source."""
    source = cell.get("source", "")
    if not isinstance(source, str):
        return None
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    kind = "code" if cell.get("cell_type") == "code" else "markdown"
    names = [name if isinstance(name, str) else None for name in (grade_id, cell.get("id"))]
    source = source.replace("\r\n", "\n").encode("utf-8", "replace").decode()  # half a surrogate pair is no text
    return NotebookNode(
        kind=kind,
        source=source,
        grade_id=names[0],
        id=names[1],
        attachments=_pictures(cell.get("attachments")),
        intact=_is_intact(cell),
    )


def _is_intact(cell: Any) -> bool:
    """Whether a cell is as it was released, by the checksum that nbgrader wrote into it.

    Who forges it has the cell taken for one as given: that earns nothing.
    """
    try:
        meta = cell.metadata.nbgrader
        return bool(meta.checksum == _checksum(cell, meta))
    except Exception:  # no checksum, or anything else in its place
        return False


def _checksum(cell: Any, meta: Any) -> str:
    """Nbgrader's ``compute_checksum``: to import it takes a worker a second."""
    grade, solution = meta.get("grade", False), meta.get("solution", False)
    locked = not solution and (grade or meta.get("locked", False))
    parts = [cell.source, cell.cell_type, *map(str, (grade, solution, locked)), meta["grade_id"]]
    parts += [str(float(meta["points"]))] if grade else []
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def is_base64(text: str) -> bool:
    """Whether ``text`` has only the letters of base64: nothing that a page could take for markup."""
    return re.fullmatch(r"[A-Za-z0-9+/=\s]*", text) is not None


def _pictures(attachments: Any) -> dict[str, dict[str, str]]:
    """The pictures pasted into a cell's text."""
    pictures: dict[str, dict[str, str]] = {}
    for name, data in attachments.items() if isinstance(attachments, dict) else ():
        for kind in PICTURES:
            value = data.get(kind) if isinstance(data, dict) else None
            if isinstance(name, str) and isinstance(value, str) and is_base64(value):
                pictures[name] = {kind: value}
    return pictures


def _join(pieces: list[str], is_code: bool) -> str:
    """One cell from the pieces that a split left: joined if that is Python, else the pieces that are."""
    if is_code:  # this magic works in the first line only
        pieces = pieces[:1] + [re.sub(r"\A\s*%%time\b.*", "", piece) for piece in pieces[1:]]
    joined = "\n".join(pieces)
    if is_code and parsed(joined) is None:
        good = [piece for piece in pieces if parsed(piece) is not None]
        return "\n".join(good) if good else joined
    return joined


def _written_anew(pieces: list[str]) -> int:
    """How many of the first ``pieces`` are earlier tries: all that they define is defined again by the last one."""
    defined = [None if code is None else _defined(code) for code in map(parsed, pieces)]
    last = defined[-1]
    if last is None:
        return 0
    return len(list(itertools.takewhile(lambda names: names and names <= last, defined[:-1])))


def _defined(code: ast.Module) -> set[str]:
    """The names that a cell defines or imports, outside of its functions and classes."""
    names = set()
    for part in code.body:
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(part.name)
        else:
            inside = list(ast.walk(part))
            names |= {node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
            names |= {node.asname or node.name for node in inside if isinstance(node, ast.alias)}
    return names


def rebuild(skeleton: NotebookNode, cells: list[NotebookNode]) -> Rebuilt:
    """Put the student's answers and extra cells into a copy of ``skeleton``.

    Args:
        skeleton: the released notebook, made from the source.
        cells: the cells of the submission, from :func:`read_notebook`.

    Returns:
        A notebook in which every cell of the skeleton stands once and in its order. A student's extra cell stands
        before the next cell of the skeleton that followed it in the submission. A solution cell that was split or
        copied is joined, but an earlier try stays a cell of its own, which may stop on an error. A missing one is put
        back, one for code as an empty cell: its answer may stand elsewhere.
    """
    notebook = deepcopy(skeleton)
    known = {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if "nbgrader" in cell.metadata}
    given_lines = {cell.id: _lines(cell.source) for cell in notebook.cells}
    given_text = {cell.source.strip() for cell in notebook.cells}
    plain = {cell.source.strip(): cell.id for cell in notebook.cells if "nbgrader" not in cell.metadata}
    by_source = {cell.source.strip(): n for n, cell in known.items() if not cell.metadata.nbgrader.solution}
    pieces: dict[str, list[str]] = {}
    pictures: dict[str, dict[str, dict[str, str]]] = {}
    extras: dict[str | None, list[NotebookNode]] = {}  # by the id of the known cell that follows
    waiting: list[NotebookNode] = []
    for cell in cells:
        if cell.grade_id is None and cell.id in known:  # nbgrader's metadata lost on the way; ids are the names here
            cell.grade_id = cell.id
        if cell.grade_id is None:  # the ids, too: what is given is known by its text
            cell.grade_id = by_source.get(cell.source.strip())
        if cell.grade_id in known:
            given = known[cell.grade_id]
            own = cell.source.replace(given.source, "", 1)
            if not given.metadata.nbgrader.solution and own != cell.source and own.strip():
                waiting.append(NotebookNode(cell, source=own, grade_id=None))  # written into a given cell
            if cell.grade_id not in pieces:
                extras.setdefault(cell.grade_id, []).extend(waiting)
                waiting = []
            # what was released may be an older version: the author has changed the cell since
            pieces.setdefault(cell.grade_id, []).append(given.source if cell.intact else cell.source)
            pictures.setdefault(cell.grade_id, {}).update(cell.attachments)
        elif cell.source.strip() in plain:  # what answers a task is read below the task, not below the next text
            for extra in waiting:
                extra.setdefault("before", plain[cell.source.strip()])
        elif cell.source.strip() and cell.source.strip() not in given_text:
            if cell.kind == "markdown" and _lines(cell.source) <= given_lines.get(cell.id, set()):
                continue  # a given text, shortened
            waiting.append(cell)
    extras[None] = waiting

    result = Rebuilt(notebook)
    rebuilt: list[NotebookNode] = []
    texts: list[NotebookNode] = []  # given ones since the last known cell
    for cell in notebook.cells:
        name = cell.metadata.nbgrader.grade_id if "nbgrader" in cell.metadata else None
        if name is None:
            texts.append(cell)
        else:
            rebuilt += _between(texts, extras.get(name, []))
            texts = []
            tries = _fill(cell, name, pieces.get(name, []), result)
            rebuilt += [_extra_cell(NotebookNode(kind="code", source=source)) for source in tries]
            if cell.cell_type == "markdown" and cell.metadata.nbgrader.solution and pictures.get(name):
                cell.attachments = pictures[name]
            rebuilt.append(cell)
    notebook.cells = rebuilt + _between(texts, extras[None])
    names: list[str | None] = [*known, None]
    for name, following in itertools.pairwise(names):
        around = [*extras.get(name, []), *extras.get(following, [])]
        if known[str(name)].cell_type == "markdown" and any(map(_is_text, around)):
            result.unchanged.discard(str(name))  # a text beside the question may be its answer: a person decides
    return result


def _lines(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines()}


def _is_text(cell: NotebookNode) -> bool:
    """Whether a person reads it, not Python: a text, also one in a code cell, as Jupyter's new cells are."""
    code = parsed(cell.source) if cell.kind == "code" else None
    if code is None:
        return True
    return all(isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) for part in code.body)


def _is_empty(source: str) -> bool:
    """Whether code does nothing: the stub was taken out, and nothing but a comment written."""
    code = parsed(source)
    return code is not None and all(isinstance(part, ast.Pass) for part in code.body)


def _fill(cell: NotebookNode, name: str, pieces: list[str], result: Rebuilt) -> list[str]:
    """Take the student's ``pieces`` of the cell ``name`` over, if it is one that students fill in.

    Returns:
        Those that are earlier tries.
    """
    if not pieces:
        result.repairs.append(say("repair.missing", name=name))
    if not cell.metadata.nbgrader.solution:
        if pieces and any(piece.strip() != cell.source.strip() for piece in pieces):
            result.repairs.append(say("repair.changed", name=name))
        return []
    if len(pieces) > 1:
        result.repairs.append(say("repair.duplicate", name=name))
    written = [piece for piece in pieces if piece.strip() != cell.source.strip()]  # a copy may be as it was given
    n = _written_anew(written) if written and cell.cell_type == "code" else 0
    tries, written = written[:n], written[n:]
    answer = _join(written, cell.cell_type == "code") if written else cell.source
    given = answer.strip() == cell.source.strip() and (pieces or cell.cell_type == "code")
    if given or (cell.cell_type == "code" and _is_empty(answer)):
        result.unchanged.add(name)
    cell.source = answer if pieces or cell.cell_type == "markdown" else ""  # a stub would undo an answer elsewhere
    return tries


def _between(texts: list[NotebookNode], extras: list[NotebookNode]) -> list[NotebookNode]:
    """The given ``texts`` that stand between two known cells, each behind the extra cells that stood before it."""
    cells = []
    for text in texts:
        cells += [_extra_cell(cell) for cell in extras if cell.get("before") == text.id] + [text]
    known = {text.id for text in texts}
    return cells + [_extra_cell(cell) for cell in extras if cell.get("before") not in known]


def _extra_cell(cell: NotebookNode) -> NotebookNode:
    if cell.kind == "code":
        return new_code_cell(cell.source, metadata={EXTRA: True})
    return new_markdown_cell(cell.source, metadata={EXTRA: True}, attachments=cell.attachments)
