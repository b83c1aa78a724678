"""What self-checks show: one card for each check cell, and a calm one for what is still to do."""

import os
from html import escape
from traceback import walk_tb
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.display import display

from .messages import say

__all__ = ["STYLE", "Card", "CheckFailed", "coloured", "is_graded_now", "is_stub", "show_to_do_calmly", "unfinished"]

STYLE = {  # symbol and colour, with a contrast of at least 3.9:1 on white and on black; text has the page's colour
    "right": ("✓", "#23863b"),
    "not_yet": ("✗", "#c05e00"),
    "to_do": ("…", "#737b86"),
}


class Card:
    """What a self-check displays.

    Args:
        name: what is checked, such as a function.
        verdict: ``right``, ``not_yet`` or ``to_do``.
        lines: label and text of each line, such as the call and its result.
        verified: the properties that hold, as sentences.
        missed: the property that does not hold; empty if all do.
    """

    def __init__(
        self, name: str, verdict: str, lines: list[tuple[str, str]], verified: list[str] | None = None, missed: str = ""
    ) -> None:
        self.name = name
        self.verdict = verdict
        self.lines = lines
        self.verified = verified or []
        self.missed = missed

    def __repr__(self) -> str:
        rows = [f"{symbol} {text}" for symbol, text in self._properties()]
        rows += [say("labelled", name=name, text=text) for name, text in self.lines]
        rows += [say("check.more")] if self.verdict == "right" else []
        return "\n".join([self.title, *(f"  {row}" for row in rows)])

    @property
    def title(self) -> str:
        """The verdict as a symbol and words, and what is checked."""
        return f"{STYLE[self.verdict][0]} {say(f'check.{self.verdict}')} ({self.name})"

    def _properties(self) -> list[tuple[str, str]]:
        held = [(STYLE["right"][0], text) for text in self.verified]
        return [*held, (STYLE["not_yet"][0], self.missed)] if self.missed else held

    def _repr_html_(self) -> str:
        symbol, colour = STYLE[self.verdict]
        rows = [f"{coloured(symbol)} {escape(text)}" for symbol, text in self._properties()]
        rows += [
            say("labelled", name=f"<b>{escape(name)}</b>", text=self._text_html(name, text))
            for name, text in self.lines
        ]
        if self.verdict == "right":
            rows.append(f"<span style='opacity:.75'>{escape(say('check.more'))}</span>")
        return (
            f"<div role='status' style='border-left:6px solid {colour};padding:.4em .8em;margin:.2em 0;"
            f"background:color-mix(in srgb,{colour} 10%,transparent)'>"
            f"<div style='font-size:1.1em'>{coloured(symbol)} <b>{escape(say(f'check.{self.verdict}'))}</b>"
            f" <code>{escape(self.name)}</code></div>" + "".join(f"<div>{row}</div>" for row in rows) + "</div>"
        )

    @staticmethod
    def _text_html(name: str, text: str) -> str:
        is_sentence = name in (say("check.cause"), say("check.next"))
        return escape(text) if is_sentence else f"<code>{escape(text)}</code>"


def coloured(symbol: str) -> str:
    """A symbol in its colour, as HTML."""
    colour = dict(STYLE.values())[symbol]
    return f"<span style='color:{colour};font-weight:bold'>{symbol}</span>"


class CheckFailed(AssertionError):
    """Raised by a check that fails, so that nbgrader's "Validate" notices; Jupyter shows only one line of it."""

    def __init__(self, card: Card) -> None:
        super().__init__(repr(card))
        self.card = card

    def _render_traceback_(self) -> list[str]:
        return [self.card.title]


def is_stub(error: BaseException) -> bool:
    """Whether ``error`` comes from an unfinished cell; PyTorch's own NotImplementedErrors have a message."""
    return isinstance(error, NotImplementedError) and not error.args


def unfinished(error: BaseException) -> str:
    """The sentence that names the unfinished function or class, which may be far from the cell that was run."""
    name = "<module>"
    for frame, _ in walk_tb(error.__traceback__):
        name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)  # Python 3.10 has no co_qualname
    name = name.split(".")[0]
    return say("check.unfinished_cell") if name.startswith("<") else say("check.unfinished", name=name)


def _is_to_do(error: BaseException) -> bool:
    return is_stub(error) or (isinstance(error, CheckFailed) and error.card.verdict == "to_do")


def is_graded_now() -> bool:
    """Whether nbgrader runs this notebook, to grade it or to validate it: then even what is to do is an error."""
    return bool(os.environ.get("NBGRADER_EXECUTION"))


def show_to_do_calmly() -> None:
    """Let an unfinished cell show a card in place of an error, so that "Run all" goes on to the next cell."""
    shell = get_ipython()
    if shell is None or getattr(shell, "_course_lib_is_calm", False):
        return
    shell._course_lib_is_calm = True
    calm: list[BaseException] = []

    def show(shell: Any, kind: Any, error: Any, traceback: Any, tb_offset: int | None = None) -> list[str]:
        if not is_graded_now() and _is_to_do(error):
            if is_stub(error):  # a check has shown its own card
                display(Card("TO DO", "to_do", [(say("check.next"), unfinished(error))]))
            calm.append(error)
            return []
        if is_stub(error):
            lines = [f"{Card('TO DO', 'to_do', []).title}{say('colon')}{unfinished(error)}"]
        elif isinstance(error, CheckFailed):
            lines = error._render_traceback_()
        else:
            lines = list(shell.InteractiveTB.structured_traceback(kind, error, traceback, tb_offset=tb_offset))
        shell._showtraceback(kind, error, lines)
        return lines

    def forgive(result: Any) -> None:
        """The cell counts as run: the front end would stop "Run all" at an error."""
        if result.error_in_exec is not None and result.error_in_exec in calm:
            result.error_in_exec = None
        calm.clear()

    shell.set_custom_exc((NotImplementedError, CheckFailed), show)
    shell.events.register("post_run_cell", forgive)
