"""The visible self-checks. They call a student's function or model, show the result and one likely cause of an error.

A check does not count for the mark. It runs in the student's own notebook and takes less than a second.
"""

import builtins
import linecache
import sys
from collections.abc import Callable
from html import escape
from textwrap import shorten
from traceback import walk_tb
from typing import Any

import numpy as np
import torch
from IPython.core.getipython import get_ipython
from IPython.display import display
from torch import nn

from .compare import close
from .device import seed
from .error_causes import FUNCTIONS, known_error_cause
from .messages import Text, say

__all__ = ["CheckFailed", "check", "is_model_class", "is_stub"]

_STYLE = {  # symbol and colour, with a contrast of at least 3.9:1 on white and on black; text has the page's colour
    "right": ("✓", "#23863b"),
    "not_yet": ("✗", "#c05e00"),
    "to_do": ("…", "#737b86"),
}


def _title(verdict: str) -> str:
    """The verdict as a symbol and a word."""
    return f"{_STYLE[verdict][0]} {say(f'check.{verdict}')}"


class Card:
    """What a self-check displays: its verdict, the call, the result and one likely cause.

    Args:
        name: what is checked, such as a function.
        verdict: a key of ``_STYLE``.
        lines: label and text of each line.
    """

    def __init__(self, name: str, verdict: str, lines: list[tuple[str, str]]) -> None:
        self.name = name
        self.verdict = verdict
        self.lines = lines

    def __repr__(self) -> str:
        return "\n".join([self.title, *(f"  {say('labelled', name=name, text=text)}" for name, text in self.lines)])

    @property
    def title(self) -> str:
        """The verdict as a symbol and a word."""
        return _title(self.verdict)

    def _repr_html_(self) -> str:
        symbol, colour = _STYLE[self.verdict]
        rows = "".join(
            "<div>" + say("labelled", name=f"<b>{escape(name)}</b>", text=self._text_html(name, text)) + "</div>"
            for name, text in self.lines
        )
        return (
            f"<div role='status' style='border-left:6px solid {colour};padding:.4em .8em;margin:.2em 0;"
            f"background:color-mix(in srgb,{colour} 10%,transparent)'>"
            f"<div style='font-weight:bold;font-size:1.1em'><span style='color:{colour}'>{symbol}</span>"
            f" {escape(say(f'check.{self.verdict}'))}</div>{rows}</div>"
        )

    @staticmethod
    def _text_html(name: str, text: str) -> str:
        return escape(text) if name == say("check.cause") else f"<code>{escape(text)}</code>"


class CheckFailed(AssertionError):
    """Raised by a check that fails, so that nbgrader's "Validate" notices; Jupyter shows only one line of it."""

    def __init__(self, card: Card) -> None:
        super().__init__(repr(card))
        self.card = card

    def _render_traceback_(self) -> list[str]:
        return [say("labelled", name=self.card.title, text=self.card.name)]


def show_to_do_in_one_line() -> None:
    """Make the notebook show one line instead of a traceback for an unfinished cell (``NotImplementedError``)."""
    shell = get_ipython()
    if shell is None:
        return

    def show(shell: Any, kind: Any, error: Any, traceback: Any, tb_offset: int | None = None) -> list[str]:
        if is_stub(error):
            lines = [say("labelled", name=_title("to_do"), text=_unfinished(error))]
        else:
            lines = shell.InteractiveTB.structured_traceback(kind, error, traceback, tb_offset=tb_offset)
        shell._showtraceback(kind, error, lines)
        return lines

    shell.set_custom_exc((NotImplementedError,), show)


def is_model_class(value: Any) -> bool:
    """Whether ``value`` is a model class of the notebook.

    Torch's own layers do not count: a student may use one in place of a function.
    """
    is_class = isinstance(value, builtins.type) and issubclass(value, nn.Module)
    return is_class and not str(value.__module__).startswith("torch.")


def is_stub(error: BaseException) -> bool:
    """Whether ``error`` comes from an unfinished cell; PyTorch's own NotImplementedErrors have a message."""
    return isinstance(error, NotImplementedError) and not error.args


def _raised_cause(subject: object, error: Exception, namespace: dict[str, Any]) -> str | None:
    """The likely cause of ``error`` from calling ``subject``, with the line of the notebook's code where it happened.

    None if no cause is known and none of the notebook's code ran.
    """
    # the judge's sentence for a NameError does not fit: here, the student may not have run all cells yet
    is_name = isinstance(error, NameError)
    known = say("check.name") if is_name else known_error_cause(type(error).__name__, str(error))
    frames = walk_tb(error.__traceback__)
    own = [(frame.f_code.co_filename, line) for frame, line in frames if frame.f_globals is namespace]
    if not own:
        other_class = isinstance(subject, type) and not issubclass(subject, nn.Module)
        return say("cause.not_a_model") if other_class else known
    code = shorten(linecache.getline(*own[-1]), 60, placeholder="...")  # JupyterLab hides line numbers by default
    line = f"{own[-1][1]} ({code})" if code else own[-1][1]
    return say("check.raised_at", line=line, cause=known) if known else say("check.raised_cause", line=line)


def _last_was_no_python() -> bool:
    """Whether the previous cell had a syntax error. In that case, names from its earlier runs still exist."""
    last = getattr(get_ipython(), "last_execution_result", None)
    return last is not None and isinstance(last.error_before_exec, SyntaxError)


def _unfinished(error: BaseException) -> str:
    """The sentence that names the unfinished function or class, which may be far from the cell that was run."""
    name = "<module>"
    for frame, _ in walk_tb(error.__traceback__):
        name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)  # Python 3.10 has no co_qualname
    name = name.split(".")[0]
    return say("check.unfinished_cell") if name.startswith("<") else say("check.unfinished", name=name)


def _summary(value: object) -> str:
    """A value in one short line: a tensor's dtype and shape, and the content of a small one."""
    if isinstance(value, torch.Tensor):
        head = f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
        if value.numel() > 30 or value.layout is not torch.strided:
            return head
        return f"{head} {_numbers(value.tolist())}"
    if isinstance(value, nn.Module):
        return type(value).__name__
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."


def _numbers(values: Any) -> str:
    """Nested lists of numbers, with at most four significant digits."""
    if isinstance(values, list):
        return f"[{', '.join(map(_numbers, values))}]"
    return str(values) if isinstance(values, bool | int) else f"{values:.4g}"


def _equal(value: Any, equals: Any) -> bool:
    """Whether ``value`` equals ``equals`` up to rounding, also inside tensors, arrays and containers."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(equals, float):
        return isinstance(value, int | float) and abs(value - equals) < 1e-6
    return isinstance(value, type(equals)) and close(value, equals, atol=1e-4)


def _raised(error: Exception) -> tuple[str, str]:
    """The line of a card for an error."""
    return say("check.raised"), f"{type(error).__name__}: {error}"


def _first_problem(
    value: object,
    type_: type | None,
    shape: tuple[int, ...] | None,
    dtype: Any,
    equals: object,
    holds: Callable[[Any], bool] | None,
    likely: str,
) -> str | None:
    """The first expectation that ``value`` does not meet, as a sentence followed by the ``likely`` cause, or None."""
    likely = likely and f" {likely[0].upper()}{likely[1:]}"  # follows another sentence
    if likely and likely[-1] not in ".?!":
        likely += "."
    of_type = likely if type_ else ""  # if the check names no type, its hint is about the values
    if type_ is None and (shape is not None or dtype is not None):
        type_ = torch.Tensor
    if value is None and any(expected is not None for expected in (type_, shape, dtype, equals, holds)):
        return say("cause.no_return")
    if type_ is not None and type(value).__name__ in FUNCTIONS:
        return say("cause.not_called")
    if isinstance(value, np.generic) and type_ in (int, float):  # the judge accepts them as int and float
        value = value.item()
    if type_ is not None and (not isinstance(value, type_) or (type_ is int and isinstance(value, bool))):
        actual = "tuple" if isinstance(value, tuple) else type(value).__name__  # the type of max(dim=1) is called 'max'
        return say("check.type", expected=type_.__name__, actual=actual) + of_type
    if isinstance(value, torch.Tensor) and value.layout is not torch.strided:
        return say("cause.sparse")
    if isinstance(value, torch.Tensor | np.ndarray):
        if shape is not None and tuple(value.shape) != shape:
            return say("check.shape", expected=shape, actual=tuple(value.shape)) + likely
        if dtype is not None and value.dtype != dtype:
            return say("check.dtype", expected=dtype, actual=value.dtype)
    if equals is not None and not _equal(value, equals):
        return say("check.value") + likely
    if holds is not None and not holds(value):
        return say("check.value") + likely
    return None


def check(
    name: str,
    *args: object,
    type: type | None = None,
    shape: tuple[int, ...] | None = None,
    dtype: Any = None,
    equals: object = None,
    holds: Callable[[Any], bool] | None = None,
    hint: tuple[str, str] | str | None = None,
) -> None:
    """Check one function, model or variable of the notebook and show the result as a card.

    Args:
        name: name of a function, a model, a model class (the check makes an instance) or a variable.
        *args: arguments of the call. Without arguments, the value itself is checked. torch is seeded before the call,
            and a model computes without gradients.
        type: expected type of the result.
        shape: expected shape of the tensor, or of the array with ``type=np.ndarray``.
        dtype: expected dtype of the tensor or array.
        equals: expected result. Tensors and arrays may differ by 1e-4, floats by 1e-6, also inside containers.
        holds: returns whether the result has a certain property.
        hint: one likely cause of a failure, in French and in English, or in one language.

    Raises:
        CheckFailed: if the check fails, after the card has been shown.
    """
    namespace = sys._getframe(1).f_globals  # those of the calling notebook
    called = name if not args else f"{name}({', '.join(_summary(a) for a in args)})"
    lines = [(say("check.called" if args else "check.variable"), called)]
    cause, verdict = None, "not_yet"
    likely = str(Text(*hint)) if isinstance(hint, tuple) else hint or ""
    if _last_was_no_python():
        cause = say("check.no_python")
    elif namespace.get(name) is None:
        cause = say("cause.is_none") if name in namespace else say("check.missing", name=name)
        verdict = "to_do"
    else:
        subject = namespace[name]
        try:
            with torch.random.fork_rng(devices=[]):
                seed(0)
                if is_model_class(subject):
                    subject = subject()
                with torch.set_grad_enabled(not isinstance(subject, nn.Module)):  # a function may train something
                    value = subject(*args) if args else subject
        except Exception as error:
            if is_stub(error):
                cause, verdict = _unfinished(error), "to_do"
            else:
                lines.append(_raised(error))
                cause = _raised_cause(subject, error, namespace) or likely
        else:
            lines.append((say("check.returned"), _summary(value)))
            try:
                cause = _first_problem(value, type, shape, dtype, equals, holds, likely)
                verdict = "right" if cause is None else verdict
            except Exception as error:  # the property is undefined for this value, such as the argmax of booleans
                lines.append(_raised(error))
                cause = known_error_cause(error.__class__.__name__, str(error)) or likely
    if cause:
        lines.append((say("check.cause"), cause))
    card = Card(name, verdict, lines)
    display(card)
    if verdict != "right":
        raise CheckFailed(card)
