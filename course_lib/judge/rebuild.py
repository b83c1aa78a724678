"""Rebuild a submission on the assignment's skeleton: given cells from the source, answers from the student.

The judge takes over only the student's solution cells and extra cells. Everything that was given comes from the source
notebook. So it does not matter what the student did to the given cells: their text, metadata, order, locks or points.
"""

from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from ..assignment.cells import EXTRA, cell_name
from ..messages import say
from .duplicate_cells import is_empty, is_prose, join_code, separate_earlier_attempts
from .read_notebook import SubmittedCell


@dataclass
class Rebuilt:
    """A submission in the shape of the assignment."""

    notebook: NotebookNode
    unchanged: set[str] = field(default_factory=set)
    """Names of the solution cells without an answer: as given, or without any code. A free-text cell is not included if
    the student wrote text in a cell next to it, because that may be the answer."""
    repairs: list[str] = field(default_factory=list)
    """What the judge repaired, in the student's language."""


def rebuild(skeleton: NotebookNode, cells: Sequence[SubmittedCell], source: NotebookNode | None = None) -> Rebuilt:
    """Put the student's answers and extra cells into a copy of ``skeleton``.

    Args:
        skeleton: the released notebook, made from the source.
        cells: the cells of the submission, from :func:`course_lib.judge.read_notebook.read_notebook`.
        source: the source notebook, whose texts may be in more languages than the skeleton's.

    Returns:
        A notebook with every cell of the skeleton, once and in the skeleton's order.

        - An extra cell comes before the cell of the skeleton that followed it in the submission.
        - The pieces of a solution cell that was split or copied are joined. Earlier tries become extra cells, so that
          an error in one of them does not stop the answer.
        - A missing cell is restored. A missing solution cell for code is restored empty, because the answer may be in
          another cell, and the stub would override it.
    """
    result = Rebuilt(deepcopy(skeleton))
    collected = _collect(_Skeleton(result.notebook, source), cells)
    for cell in result.notebook.cells:
        if cell_name(cell):
            _fill_in(cell, collected, result)
    _keep_for_manual_grading(result, collected.extras)
    _place_extra_cells(result.notebook, collected.extras)
    return result


# -- match submitted cells with the skeleton ---------------------------------------------------------------------------


class _Skeleton:
    """The cells of a skeleton, indexed by everything that can identify a submitted cell."""

    def __init__(self, notebook: NotebookNode, source: NotebookNode | None) -> None:
        named = [cell for cell in notebook.cells if cell_name(cell)]
        texts = [cell for cell in notebook.cells if not cell_name(cell)]
        self.named = {cell_name(cell): cell for cell in named}
        self.locked = {cell.source.strip(): cell_name(cell) for cell in named if not cell.metadata.nbgrader.solution}
        """Names of the cells that students do not fill in, by their source."""
        self.texts = {cell.source.strip(): cell.id for cell in texts}
        """Ids of the cells without a name, by their source."""
        self._sources = {cell.source.strip() for cell in notebook.cells}
        self._lines = {cell.id: _lines(cell.source) for cell in notebook.cells}
        for cell in source.cells if source is not None else ():  # the student may have a release in another language
            if cell.id in self.texts.values():
                self._lines[cell.id] |= _lines(cell.source)

    def name_of(self, cell: SubmittedCell) -> str | None:
        """The name of ``cell`` in the skeleton; None for an extra cell or a given text cell."""
        if cell.grade_id is not None:
            return cell.grade_id if cell.grade_id in self.named else None
        if cell.id in self.named:  # the metadata got lost; a release uses nbgrader's names as ids, too
            return cell.id
        return self.locked.get(cell.source.strip())  # the ids got lost, too

    def has_no_work(self, cell: SubmittedCell) -> bool:
        """Whether a cell without a name has no work of the student: it is empty, given, or part of a given text."""
        source = cell.source.strip()
        if not source or source in self._sources:
            return True
        return not cell.is_code and cell.id in self._lines and _lines(cell.source) <= self._lines[cell.id]


def _lines(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines()}


# -- collect what the student wrote ------------------------------------------------------------------------------------


@dataclass
class _Extra:
    """A cell that the student added, or text that the student wrote into a given cell."""

    cell: SubmittedCell
    before: str | None = None
    """Id of the given text cell that followed it in the submission, if there was one before the next named cell."""


@dataclass
class _Collected:
    """The contents of a submission, by the name of the skeleton's cell."""

    pieces: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Sources of the cell; several if the student split or copied it."""
    pictures: defaultdict[str, dict[str, dict[str, str]]] = field(default_factory=lambda: defaultdict(dict))
    """Pictures pasted into the cell's text."""
    extras: defaultdict[str | None, list[_Extra]] = field(default_factory=lambda: defaultdict(list))
    """Extra cells before the cell; under None, those after the last cell with a name."""


def _collect(skeleton: _Skeleton, cells: Sequence[SubmittedCell]) -> _Collected:
    collected = _Collected()
    waiting: list[_Extra] = []  # extra cells, until the next cell with a name
    for cell in cells:
        name = skeleton.name_of(cell)
        if name is not None:
            original = skeleton.named[name]
            if own := _written_into(original, cell):
                waiting.append(_Extra(replace(cell, source=own)))
            if name not in collected.pieces:
                collected.extras[name], waiting = waiting, []
            # an intact cell may come from an older release: take the author's current version
            collected.pieces[name].append(original.source if cell.intact else cell.source)
            collected.pictures[name].update(cell.attachments)
        elif cell.source.strip() in skeleton.texts:  # keep an answer below its own task, where a person looks for it
            for extra in waiting:
                extra.before = extra.before or skeleton.texts[cell.source.strip()]
        elif not skeleton.has_no_work(cell):
            waiting.append(_Extra(cell))
    collected.extras[None] = waiting
    return collected


def _written_into(original: NotebookNode, cell: SubmittedCell) -> str:
    """What the student added to a locked cell; empty if the cell is for students, or no longer has its own text."""
    rest = cell.source.replace(original.source, "", 1)
    locked = not original.metadata.nbgrader.solution
    return rest if locked and rest != cell.source and rest.strip() else ""


# -- fill in the answers -----------------------------------------------------------------------------------------------


def _fill_in(cell: NotebookNode, collected: _Collected, result: Rebuilt) -> None:
    """Put the student's answer into a named ``cell`` of the skeleton, if it is a solution cell."""
    name, is_code = cell_name(cell), cell.cell_type == "code"
    pieces = collected.pieces[name]
    result.repairs += _repair_messages(cell, pieces)
    if not cell.metadata.nbgrader.solution:
        return
    written = [piece for piece in pieces if piece.strip() != cell.source.strip()]  # a copy may be as given
    if is_code:
        tries, written = separate_earlier_attempts(written)
        collected.extras[name] += [_Extra(SubmittedCell(is_code=True, source=source)) for source in tries]
    answer = cell.source
    if written:
        answer = join_code(written) if is_code else "\n".join(written)
    as_given = answer.strip() == cell.source.strip() and (pieces or is_code)  # a missing text may be elsewhere
    if as_given or (is_code and is_empty(answer)):
        result.unchanged.add(name)
    if pieces:
        cell.source = answer
    elif is_code:
        cell.source = ""  # the stub would override an answer in another cell
    if not is_code and collected.pictures[name]:
        cell.attachments = collected.pictures[name]


def _repair_messages(cell: NotebookNode, pieces: list[str]) -> list[str]:
    """What the judge repairs in a named cell, in the student's language."""
    if not pieces:
        return [say("repair.missing", name=cell_name(cell))]
    if cell.metadata.nbgrader.solution:
        return [say("repair.duplicate", name=cell_name(cell))] if len(pieces) > 1 else []
    changed = any(piece.strip() != cell.source.strip() for piece in pieces)
    return [say("repair.changed", name=cell_name(cell))] if changed else []


def _keep_for_manual_grading(result: Rebuilt, extras: defaultdict[str | None, list[_Extra]]) -> None:
    """Let a person grade a text cell if the student wrote text right before or after it: that may be the answer."""
    named = [cell for cell in result.notebook.cells if cell_name(cell)]
    next_names = [*map(cell_name, named), None][1:]
    for cell, next_name in zip(named, next_names, strict=True):
        beside = extras[cell_name(cell)] + extras[next_name]
        if cell.cell_type == "markdown" and any(_is_text(extra.cell) for extra in beside):
            result.unchanged.discard(cell_name(cell))


def _is_text(cell: SubmittedCell) -> bool:
    return not cell.is_code or is_prose(cell.source)


# -- place the extra cells ---------------------------------------------------------------------------------------------


def _place_extra_cells(notebook: NotebookNode, extras: defaultdict[str | None, list[_Extra]]) -> None:
    cells: list[NotebookNode] = []
    texts: list[NotebookNode] = []  # given texts since the last cell with a name
    for cell in notebook.cells:
        if cell_name(cell):
            cells += [*_interleave(texts, extras[cell_name(cell)]), cell]
            texts = []
        else:
            texts.append(cell)
    notebook.cells = cells + _interleave(texts, extras[None])


def _interleave(texts: list[NotebookNode], extras: list[_Extra]) -> list[NotebookNode]:
    """Put each extra cell before the given text that it preceded, and the other extra cells after all ``texts``."""
    cells = []
    for text in texts:
        cells += [_extra_cell(extra.cell) for extra in extras if extra.before == text.id] + [text]
    ids = {text.id for text in texts}
    return cells + [_extra_cell(extra.cell) for extra in extras if extra.before not in ids]


def _extra_cell(cell: SubmittedCell) -> NotebookNode:
    if cell.is_code:
        return new_code_cell(cell.source, metadata={EXTRA: True})
    return new_markdown_cell(cell.source, metadata={EXTRA: True}, attachments=cell.attachments)
