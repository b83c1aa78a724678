"""What accompanies a student through a notebook: checks, hints in three levels, progress, and handing in."""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from IPython.display import display

from .cards import STYLE, Card, coloured, is_graded_now
from .checks import Property, card_for, check_properties
from .files import write_atomically
from .messages import TEXT_STUB, Text, say

__all__ = ["Exercise", "Task"]

HAND_IN = "hand_in"
"""The folder beside the notebook with the file to upload."""

SAVED = 120
"""Seconds after which a notebook may have changes that are not saved."""


@dataclass(frozen=True)
class Task:
    """One check cell of a notebook."""

    title: Text
    properties: Callable[[dict[str, Any]], Sequence[Property]]
    """What to verify, made from the global variables of the notebook."""
    hints: Sequence[Text] = ()
    """From a nudge to nearly the answer."""


@dataclass(frozen=True)
class Line:
    """One line of the progress: a verdict, a title, and what is open."""

    verdict: str
    title: str
    open: str = ""


class Table:
    """Lines with verdicts, as a table in the notebook and as plain text."""

    def __init__(self, title: str, lines: Sequence[Line], foot: str = "") -> None:
        self.title = title
        self.lines = lines
        self.foot = foot

    def __repr__(self) -> str:
        rows = [f"  {STYLE[line.verdict][0]} {line.title:<24} {line.open}".rstrip() for line in self.lines]
        return "\n".join([self.title, *rows, *([self.foot] if self.foot else [])])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{coloured(STYLE[line.verdict][0])}</td>"
            f"<td style='text-align:left'>{escape(line.title)}</td>"
            f"<td style='text-align:left'>{escape(line.open)}</td></tr>"
            for line in self.lines
        )
        foot = f"<div>{escape(self.foot)}</div>" if self.foot else ""
        return f"<div role='status'><b>{escape(self.title)}</b><table>{rows}</table>{foot}</div>"


class Exercise:
    """The tasks of one notebook.

    Args:
        name: the name of the notebook, without ``.ipynb``.
        tasks: the tasks by the name of their check cell, without ``test_``, in the order of the notebook.
    """

    def __init__(self, name: str, tasks: Mapping[str, Task]) -> None:
        self.name = name
        self.tasks = tasks
        self._shown: dict[str, int] = {}
        """The number of hints that each task has shown."""

    def check_answer(self, cell: str) -> None:
        """Check the answer to a task, and show one card.

        Args:
            cell: the name of the task, such as ``softmax``.

        Raises:
            CheckFailed: if a property does not hold, after the card has been shown.
        """
        namespace = sys._getframe(1).f_globals
        check_properties(self.tasks[cell].properties(namespace), namespace)

    def hint(self, cell: str) -> None:
        """Show one more hint for a task. Each call goes further, up to the last one.

        Args:
            cell: the name of the task, such as ``softmax``.
        """
        task = self.tasks.get(cell)
        if task is None or not task.hints:
            known = [name for name, known_task in self.tasks.items() if known_task.hints]
            print(say("hint.unknown", name=cell, names=", ".join(known)))
            return
        level = min(self._shown.get(cell, 0) + 1, len(task.hints))
        self._shown[cell] = level
        head = say("hint.level", title=task.title, level=level, levels=len(task.hints))
        print(f"{head}{say('colon')}{task.hints[level - 1]}")

    def progress(self) -> None:
        """Show what looks right, what is open, and which texts have no answer yet."""
        if is_graded_now():  # the page of the results says it better
            return
        path = notebook_path()
        cells = [] if path is None else nbgrader_cells(path)
        if path is None or self._is_here(cells):
            display(self._progress(sys._getframe(1).f_globals, cells))
        else:
            print(say("exercise.elsewhere", name=self.name))

    def hand_in(self) -> None:
        """Check what has run, name what is missing, and write the file to upload, with a receipt.

        The file is the notebook as it was last saved.
        """
        if is_graded_now():
            return
        path = notebook_path()
        if path is None:
            print(say("hand_in.no_file"))
            return
        cells = nbgrader_cells(path)
        if not self._is_here(cells):
            print(say("exercise.elsewhere", name=self.name))
            return
        display(self._progress(sys._getframe(1).f_globals, cells))
        if (age := time.time() - path.stat().st_mtime) > SAVED:
            print(say("hand_in.old", minutes=round(age / 60)))
            return
        if path.stem != self.name:
            print(say("hand_in.renamed", old=path.name, new=f"{self.name}.ipynb"))
        try:
            self._write(path)
        except OSError as error:
            print(say("hand_in.not_written", reason=error.strerror or error))

    def _write(self, path: Path) -> None:
        content = path.read_bytes()
        target = path.parent / HAND_IN / f"{self.name}.ipynb"
        target.parent.mkdir(exist_ok=True)
        write_atomically(target, content)
        receipt = f"{time.strftime('%Y-%m-%d %H:%M')}  {hashlib.sha256(content).hexdigest()}  {target.name}"
        write_atomically(target.with_name("receipt.txt"), f"{receipt}\n".encode())
        print(say("hand_in.written", path=target.relative_to(path.parent), receipt=receipt))

    def _is_here(self, cells: Sequence[dict[str, Any]]) -> bool:
        """Whether a notebook with these cells has a check cell of this exercise."""
        return any(_grade_id(cell) == f"test_{name}" for cell in cells for name in self.tasks)

    def _progress(self, namespace: dict[str, Any], cells: Sequence[dict[str, Any]]) -> Table:
        checked, texts = [*self._checked(namespace)], [*written_texts(cells)]
        title = say("progress.title", done=_done(checked), total=len(checked))
        if texts:
            title += say("progress.texts", done=_done(texts), total=len(texts))
        return Table(title, [*checked, *texts], say("check.more"))

    def _checked(self, namespace: dict[str, Any]) -> Iterator[Line]:
        for task in self.tasks.values():
            try:
                card = card_for(task.properties(namespace), namespace)
            except Exception:  # such as a variable of a cell that has not run
                card = Card("", "to_do", [])
            what = {"to_do": say("progress.to_do"), "right": ""}.get(card.verdict, card.missed)
            yield Line(card.verdict, str(task.title), what)


def notebook_path() -> Path | None:
    """The file of this notebook: Jupyter names it; elsewhere, the only notebook in the folder."""
    named = os.environ.get("JPY_SESSION_NAME", "")
    if named.endswith(".ipynb") and Path(named).is_file():
        return Path(named)
    found = [path for path in Path().glob("*.ipynb") if not path.name.startswith(".")]
    return found[0].resolve() if len(found) == 1 else None


def nbgrader_cells(path: Path) -> list[dict[str, Any]]:
    """The cells of a saved notebook that nbgrader knows; none if the file is no notebook."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    cells = content.get("cells", []) if isinstance(content, dict) else []
    return [cell for cell in cells if isinstance(cell, dict) and cell.get("metadata", {}).get("nbgrader")]


def written_texts(cells: Sequence[dict[str, Any]]) -> Iterator[Line]:
    """A line for each free-text answer: whether there is one."""
    for cell in cells:
        if cell.get("cell_type") == "markdown" and cell["metadata"]["nbgrader"].get("solution"):
            text = "".join(cell.get("source", "")).replace(TEXT_STUB, "").strip()
            verdict, what = ("right", say("progress.written")) if text else ("to_do", say("progress.no_text"))
            yield Line(verdict, _grade_id(cell).replace("_", " "), what)


def _grade_id(cell: dict[str, Any]) -> str:
    return str(cell["metadata"]["nbgrader"].get("grade_id", ""))


def _done(lines: Sequence[Line]) -> int:
    return sum(line.verdict == "right" for line in lines)
