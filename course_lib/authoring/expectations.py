"""Compare a student's answers with the reference, and name the likely cause when they differ."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ..compare import close, numbers
from ..error_causes import type_cause
from ..kernel.wire import Value
from ..messages import Text, say
from ..results.failures import StudentFailure
from ..results.result import Verdict
from .values import CAN_BE_SENT, first_unsendable, type_name, with_article

Suspects = Mapping[Any, Callable[..., Any]]
"""Usual mistakes: the sentence that tells the student about a mistake, a ``Text`` or a ``str``, and a function that
makes this mistake."""

NO_SUSPECTS: Suspects = {}


def wrong(cause: Text | str) -> StudentFailure:
    """The exception to raise if the student's answer is wrong.

    Args:
        cause: the likely cause, in one language or two. The student reads it, so it must not contain a hidden value.
    """
    return StudentFailure(Verdict.FAILED, str(cause))


def likely(answer: Value, suspects: Suspects, *inputs: Any, atol: float = 1e-5) -> StudentFailure:
    """The exception to raise if ``answer`` to ``inputs`` is wrong. It names the first suspect with the same answer."""
    return _explained([answer], [answer], [inputs], suspects, atol)


def rounded(reference: Callable[..., torch.Tensor]) -> Suspects:
    """The usual mistake of rounding what ``reference`` returns: to two, three or four decimals."""

    def rounds_to(n: int) -> Callable[..., torch.Tensor]:
        return lambda *inputs: reference(*inputs).round(decimals=n)

    return {
        Text(f"le résultat est arrondi à {n} décimales.", f"the result is rounded to {n} decimals."): rounds_to(n)
        for n in (2, 3, 4)
    }


def expect(
    answer: Value,
    reference: Callable[..., Any],
    *inputs: Any,
    suspects: Suspects = NO_SUSPECTS,
    atol: float = 1e-5,
) -> None:
    """Compare the student's answer to ``inputs`` with the answer of ``reference``.

    Numbers are compared up to rounding, also inside tensors, tables and containers. Their dtypes may differ: check them
    yourself if they matter. Anything else must be equal.

    Args:
        answer: what the student's function returned for ``inputs``.
        reference: a function that returns the right answer.
        *inputs: the arguments of both functions.
        suspects: usual mistakes. If one of them gives the student's answer, the student reads its sentence.
        atol: absolute tolerance for numbers.

    Raises:
        StudentFailure: if the answers differ.
        ValueError: if ``reference`` returns something that a student's answer can never be, such as a model.
    """
    expect_all([answer], reference, [inputs], suspects, atol)


def expect_all(
    answers: Sequence[Value],
    reference: Callable[..., Any],
    inputs: Sequence[tuple[Any, ...]],
    suspects: Suspects = NO_SUSPECTS,
    atol: float = 1e-5,
) -> None:
    """The same as :func:`expect` for several inputs. A suspect is only named if it explains all of the ``answers``."""
    references = [reference(*arguments) for arguments in inputs]
    for value in references:
        if kind := first_unsendable(value):
            raise ValueError(
                f"The reference returns {with_article(kind)}, which a student's answer can never be. {CAN_BE_SENT}"
            )
    if not close(list(answers), references, atol=atol):
        raise _explained(answers, references, inputs, suspects, atol)


def _explained(
    answers: Sequence[Value],
    references: Sequence[Any],
    inputs: Sequence[tuple[Any, ...]],
    suspects: Suspects,
    atol: float,
) -> StudentFailure:
    """The failure for wrong ``answers``. It names a suspect, or else a wrong type, or else gives a general hint."""
    for cause, mistake in suspects.items():
        pairs = zip(answers, inputs, strict=True)
        if all(close(answer, mistake(*arguments), atol=atol) for answer, arguments in pairs):
            return wrong(cause)
    found = [numbers(answer) for answer in answers]
    for answer, tensor, reference in zip(answers, found, references, strict=True):
        both_numeric = tensor is not None and numbers(reference) is not None
        if answer is None or not (both_numeric or type_name(answer) == type_name(reference)):
            note = ""
            if kind := first_unsendable(answer):
                subject = with_article(kind, capital=True)
                note = f"{subject} cannot be sent. Extract what you need in a probe (student.run)."
            return StudentFailure(Verdict.FAILED, type_cause(type_name(answer), type_name(reference)), note)
    is_finite = all(bool(tensor.isfinite().all()) for tensor in found if tensor is not None)
    return StudentFailure(Verdict.FAILED, say("cause.values" if is_finite else "cause.not_finite"))
