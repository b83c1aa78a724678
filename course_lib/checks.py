"""The visible self-checks. They call a student's function or model and say which properties of the answer hold.

A check does not count for the mark. It runs in the student's own notebook and takes less than a second.
"""

import builtins
import linecache
import reprlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import shorten
from traceback import walk_tb
from typing import Any

import numpy as np
import torch
from IPython.core.getipython import get_ipython
from IPython.display import display
from torch import nn

from .cards import Card, CheckFailed, is_stub, unfinished
from .compare import close
from .device import seed
from .error_causes import FUNCTIONS, known_error_cause
from .messages import Text, say

__all__ = ["CheckFailed", "Property", "card_for", "check", "check_properties", "is_model_class"]

Hint = Text | tuple[str, str] | str
"""A text for students: in French and in English, or in one language."""

MAX_SHOWN = 12
"""A card shows the numbers of a tensor if there are no more than this."""


@dataclass(frozen=True)
class Property:
    """One property of an answer. A check calls what the student wrote and says whether the property holds.

    Without any expectation, the property holds if the call raises no exception.
    """

    name: str
    """Of a function, a model, a model class (the check makes an instance) or a variable."""
    args: Sequence[object] = ()
    """Arguments of the call. Without arguments, the value itself is checked."""
    says: Hint = ""
    """The sentence on the card, such as "each row sums to 1". By default, the expected type, shape and dtype."""
    type: builtins.type | None = None
    shape: tuple[int, ...] | None = None
    dtype: Any = None
    equals: object = None
    holds: Callable[[Any], bool] | None = None
    hint: Hint | Callable[[Any], Hint | None] = ""
    """One likely cause of a failure, or a function that finds it in the wrong result; None if it finds none."""


def is_model_class(value: Any) -> bool:
    """Whether ``value`` is a model class of the notebook.

    Torch's own layers do not count: a student may use one in place of a function.
    """
    is_class = isinstance(value, builtins.type) and issubclass(value, nn.Module)
    return is_class and not str(value.__module__).startswith("torch.")


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


def _summary(value: object) -> str:
    """A value in one short line: a tensor's dtype and shape, and the content of a small one."""
    if isinstance(value, torch.Tensor):
        head = f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
        if value.numel() > MAX_SHOWN or value.layout is not torch.strided:
            return head
        return f"{head} {_numbers(value.tolist())}"
    if isinstance(value, nn.Module):
        return type(value).__name__
    text = reprlib.repr(value) if isinstance(value, list | tuple | dict | set) else repr(value)
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


def _first_problem(value: Any, expected: Property) -> tuple[str, str] | None:
    """The first expectation that ``value`` does not meet, as a sentence, and the likely cause; either may be empty."""
    type_, shape, dtype = expected.type, expected.shape, expected.dtype
    likely = _likely(expected, value)
    of_type = likely if type_ else ""  # if the check names no type, its hint is about the values
    if type_ is None and (shape is not None or dtype is not None):
        type_ = torch.Tensor
    expects = (type_, expected.equals, expected.holds)
    if value is None and any(one is not None for one in expects):
        return "", say("cause.no_return")
    if type_ is torch.Tensor and not isinstance(value, torch.Tensor) and (confused := _confused(value)):
        return "", confused
    if type_ is not None and type(value).__name__ in FUNCTIONS:
        return "", say("cause.not_called")
    if isinstance(value, np.generic) and type_ in (int, float):  # the judge accepts them as int and float
        value = value.item()
    if type_ is not None and (not isinstance(value, type_) or (type_ is int and isinstance(value, bool))):
        return say("check.type", expected=type_.__name__, actual=type(value).__name__), of_type
    if isinstance(value, torch.Tensor) and value.layout is not torch.strided:
        return "", say("cause.sparse")
    if isinstance(value, torch.Tensor | np.ndarray):
        if shape is not None and tuple(value.shape) != shape:
            return say("check.shape", expected=shape, actual=tuple(value.shape)), likely
        if dtype is not None and value.dtype != dtype:
            return say("check.dtype", expected=dtype, actual=value.dtype), ""
    if expected.equals is not None and not _equal(value, expected.equals):
        return "", likely
    if expected.holds is not None and not expected.holds(value):
        return "", likely
    return None


def _confused(value: object) -> str | None:
    """Why a value is no tensor, if it is a usual confusion."""
    if type(value).__module__ == "torch.return_types":
        return say("cause.return_types")
    if isinstance(value, nn.Module):
        return say("cause.layer")
    return None


def _likely(expected: Property, value: Any = None) -> str:
    """The likely cause in an author's words; empty if there is none for this value."""
    hint: Any = expected.hint
    if callable(hint):
        try:
            hint = hint(value)
        except Exception:  # it was written for values of the right type and shape
            hint = None
    return _text(hint or "")


def _text(hint: Hint) -> str:
    return str(Text(*hint)) if isinstance(hint, tuple) and not isinstance(hint, Text) else str(hint)


def _sentence(expected: Property) -> str:
    """What the card says about a property."""
    if expected.says:
        return _text(expected.says)
    parts = [] if expected.type is None else [expected.type.__name__]
    parts += [] if expected.dtype is None else [str(expected.dtype).removeprefix("torch.")]
    parts += [] if expected.shape is None else [say("check.of_shape", shape=expected.shape)]
    if expected.equals is not None or expected.holds is not None or not parts:
        parts.append(say("check.as_expected"))
    return f"{expected.name}{say('colon')}{', '.join(parts)}"


@dataclass
class _Finding:
    """What became of one property."""

    verdict: str
    lines: list[tuple[str, str]]
    """The call and its result."""
    cause: str = ""
    missed: str = ""
    """What does not hold; empty if there is no better sentence than that of the property."""


def _verify(expected: Property, namespace: dict[str, Any]) -> _Finding:
    name, args = expected.name, expected.args
    called = name if not args else f"{name}({', '.join(_summary(a) for a in args)})"
    lines = [(say("check.called" if args else "check.variable"), called)]
    if namespace.get(name) is None:
        cause = say("cause.is_none") if name in namespace else say("check.missing", name=name)
        return _Finding("to_do", [], cause)
    subject = namespace[name]
    with torch.random.fork_rng(devices=[]):  # a check must not change the random numbers of a training
        seed(0)
        try:
            if is_model_class(subject):
                subject = subject()
            with torch.set_grad_enabled(not isinstance(subject, nn.Module)):  # a function may train something
                value = subject(*args) if args else subject
            lines.append((say("check.returned"), _summary(value)))
        except Exception as error:
            if is_stub(error):
                return _Finding("to_do", [], unfinished(error))
            cause = _raised_cause(subject, error, namespace) or _likely(expected)
            return _Finding("not_yet", [*lines, _raised(error)], cause)
        try:
            problem = _first_problem(value, expected)
        except Exception as error:  # the property is undefined for this value, such as the argmax of booleans
            cause = known_error_cause(error.__class__.__name__, str(error)) or _likely(expected)
            return _Finding("not_yet", [*lines, _raised(error)], cause)
    if problem is None:
        return _Finding("right", lines)
    missed, cause = problem
    return _Finding("not_yet", lines, cause, missed or _text(expected.says) or say("check.value"))


def card_for(properties: Sequence[Property], namespace: dict[str, Any]) -> Card:
    """The card of an answer: the properties that hold, and the first one that does not, with its likely cause.

    Args:
        properties: what to verify, in this order.
        namespace: the global variables of the notebook.

    Raises:
        ValueError: if there is nothing to verify.
    """
    if not properties:
        raise ValueError("there is no property to check")
    names = ", ".join(dict.fromkeys(expected.name for expected in properties))
    verified: list[str] = []
    for expected in properties:
        found = _verify(expected, namespace)
        if found.verdict != "right":
            break
        verified.append(_sentence(expected))
    lines = [*found.lines] if found.verdict != "right" or len(properties) == 1 else []
    if found.cause:
        lines.append((say("check.next" if found.verdict == "to_do" else "check.cause"), found.cause))
    missed = found.missed or (_sentence(expected) if found.verdict == "not_yet" and len(properties) > 1 else "")
    return Card(names, found.verdict, lines, list(dict.fromkeys(verified)), missed)


def check_properties(properties: Sequence[Property], namespace: dict[str, Any] | None = None) -> None:
    """Check an answer, and show one card: see :func:`card_for`.

    Args:
        properties: what to verify, in this order.
        namespace: the global variables of the notebook; by default those of the caller.

    Raises:
        CheckFailed: if a property does not hold, after the card has been shown.
    """
    namespace = sys._getframe(1).f_globals if namespace is None else namespace
    if _last_was_no_python():
        card = Card(properties[0].name, "not_yet", [(say("check.cause"), say("check.no_python"))])
    else:
        card = card_for(properties, namespace)
    display(card)
    if card.verdict != "right":
        raise CheckFailed(card)


def check(
    name: str,
    *args: object,
    type: type | None = None,
    shape: tuple[int, ...] | None = None,
    dtype: Any = None,
    equals: object = None,
    holds: Callable[[Any], bool] | None = None,
    hint: Hint | None = None,
    says: Hint = "",
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
        says: what the card says if the property holds; by default, the expected type, shape and dtype.

    Raises:
        CheckFailed: if the check fails, after the card has been shown.
    """
    expected = Property(name, args, says, type, shape, dtype, equals, holds, hint or "")
    check_properties([expected], sys._getframe(1).f_globals)
