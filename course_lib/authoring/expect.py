"""Comparisons."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ..error_hints import type_cause
from ..kernel.wire import Value
from ..messages import Text, say
from .failures import StudentFailure
from .notebook import TRAVELS, travels_whole, type_name
from .result import Verdict

__all__ = ["Suspects", "expect", "expect_all", "likely", "rounded", "wrong"]

Suspects = Mapping[Text, Callable[..., Any]]
"""Usual mistakes: what to say of each, and a function that makes it."""


def wrong(cause: Text) -> StudentFailure:
    """To raise when the student's answer is wrong, for a likely ``cause``; it must not say a hidden value."""
    return StudentFailure(Verdict.FAILED, str(cause))


def _close(a: Value, b: Value, atol: float) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_close(a[key], b[key], atol) for key in b)
    if isinstance(a, list | tuple) and type(a) is type(b):
        return len(a) == len(b) and all(_close(x, y, atol) for x, y in zip(a, b, strict=True))
    x, y = _numbers(a), _numbers(b)
    if x is None or y is None:  # texts, None, integers that no tensor holds
        return type(a) is type(b) and a == b
    return x.shape == y.shape and torch.allclose(x, y, rtol=1e-5, atol=atol)


def _numbers(value: Value) -> torch.Tensor | None:
    """What is numbers, in a type which holds any of them."""
    try:
        return torch.as_tensor(value, dtype=torch.complex128)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None


Answers = Sequence[Value]
Inputs = Sequence[tuple[Any, ...]]


def _gives(function: Callable[..., Any], answers: Answers, inputs: Inputs, atol: float) -> bool:
    return all(_close(answer, function(*of), atol) for answer, of in zip(answers, inputs, strict=True))


def _explained(
    answers: Answers,
    inputs: Inputs,
    suspects: Suspects,
    atol: float,
    rights: Answers = (),
) -> StudentFailure:
    for cause, mistake in suspects.items():
        if _gives(mistake, answers, inputs, atol):
            return wrong(cause)
    numbers = [_numbers(answer) for answer in answers]
    for answer, found, right in zip(answers, numbers, rights or answers, strict=True):
        comparable = type_name(answer) == type_name(right) or (found is not None and _numbers(right) is not None)
        if answer is None or not comparable:
            return StudentFailure(Verdict.FAILED, type_cause(type_name(answer), type_name(right)))
    finite = all(bool(found.isfinite().all()) for found in numbers if found is not None)
    return StudentFailure(Verdict.FAILED, say("cause.values" if finite else "cause.not_finite"))


def likely(answer: Value, suspects: Suspects, *inputs: Any, atol: float = 1e-5) -> StudentFailure:
    """To raise when ``answer`` to ``inputs`` is wrong: names the first of ``suspects`` that gives the same."""
    return _explained([answer], [inputs], suspects, atol)


def rounded(reference: Callable[..., torch.Tensor]) -> Suspects:
    """The usual mistakes of rounding what ``reference`` gives: to two, three or four decimals."""

    def mistake(n: int) -> Callable[..., torch.Tensor]:
        return lambda *inputs: reference(*inputs).round(decimals=n)

    return {
        Text(f"le résultat est arrondi à {n} décimales.", f"the result is rounded to {n} decimals."): mistake(n)
        for n in (2, 3, 4)
    }


def expect(
    answer: Value,
    reference: Callable[..., Any],
    *inputs: Any,
    suspects: Suspects,
    atol: float = 1e-5,
) -> None:
    """Compare what the student's function gave for ``inputs`` with what ``reference`` gives, numbers within ``atol``.

    Texts, lists, tuples and dicts will do, too. An answer of another type is wrong, and no fault of the test.

    Raises:
        StudentFailure: if they differ; with the cause, if one of ``suspects`` gives what the student's function gave.
        ValueError: if no answer can be what ``reference`` gives, such as a set: the right one would not be, either.
    """
    expect_all([answer], reference, [inputs], suspects, atol)


def expect_all(
    answers: Answers,
    reference: Callable[..., Any],
    inputs: Inputs,
    suspects: Suspects,
    atol: float = 1e-5,
) -> None:
    """The same as :func:`expect`, for the ``answers`` to several ``inputs``: a cause must explain all of them."""
    rights = [reference(*of) for of in inputs]
    if not all(map(travels_whole, rights)):
        raise ValueError(f"the reference gives what no answer can be: {TRAVELS}; a given cell can return it as these")
    if not all(_close(answer, right, atol) for answer, right in zip(answers, rights, strict=True)):
        raise _explained(answers, inputs, suspects, atol, rights)
