"""The values that a hidden test sends to a student's notebook and gets back."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch

from ..error_causes import dtype_cause, shape_cause, type_cause
from ..kernel.wire import Other, Packet, TooLarge, Value, check_size, describe, others
from ..results.failures import StudentFailure
from ..results.result import Verdict

Dtype = torch.dtype | Literal["floating", "any"]
"""The dtype that a tensor must have. With ``"floating"``, any floating dtype is right and comes back as float32."""

Argument = Any
"""An argument for a function of the notebook: a :data:`~course_lib.kernel.wire.Value`, or an array of numbers, which
arrives there as an array."""

CAN_BE_SENT = (
    "Only numbers, strings, bytes, ranges, tensors, arrays, pandas tables, and lists, tuples, sets and dicts of them "
    "can be sent."
)
"""What a function can take and return, for an author who uses something else."""


def wrong_value(note: str, cause: str = "") -> StudentFailure:
    """The failure of an answer with the wrong type, shape or dtype.

    Args:
        note: what came back, for the instructor.
        cause: the likely cause, for the student.
    """
    return StudentFailure(Verdict.FAILED, cause, note)


def check_can_be_sent(name: str, described: object, tensors: Mapping[str, torch.Tensor]) -> None:
    """Check that the arguments of a question can be sent.

    Args:
        name: of the student's function, or of the probe.
        described: the descriptions of the arguments.
        tensors: the tensors in them.

    Raises:
        ValueError: if they would not arrive unchanged; the message says what to do.
    """
    if kinds := sorted(set(others(described))):
        raise ValueError(
            f"{with_article(kinds[0], capital=True)} cannot be sent to {name}. {CAN_BE_SENT} "
            "Create it in a probe (student.run)."
        )
    try:
        check_size(Packet({"args": described}, dict(tensors)))
    except TooLarge as error:
        raise ValueError(
            f"These arguments cannot be sent to {name}: {error}. Create them in a probe (student.run)."
        ) from error


def first_unsendable(value: Any) -> str:
    """The name of the first type in ``value`` that cannot be sent; empty if all of it can."""
    return next(others(describe(value, "", {})), "")


def with_article(name: str, capital: bool = False) -> str:
    """The name of a type with "a" or "an", or with "A" or "An" at the beginning of a sentence."""
    return f"{'A' if capital else 'a'}{'n' if name[:1].lower() in 'aeiou' else ''} {name}"


def type_name(value: Value) -> str:
    """The name of the type that a value has in the notebook."""
    return value.type_name if isinstance(value, Other) else type(value).__name__


def checked_tensor(value: object, shape: Sequence[int], dtype: Dtype) -> torch.Tensor:
    """``value``, if it is a tensor of this shape and dtype.

    Raises:
        StudentFailure: if it is not.
    """
    if not isinstance(value, torch.Tensor):
        name = type_name(value)
        raise wrong_value(f"returned {name}, not a tensor", type_cause(name, "Tensor"))
    if tuple(value.shape) != tuple(shape):
        note = f"returned the shape {tuple(value.shape)}, not {tuple(shape)}"
        raise wrong_value(note, shape_cause(value.shape, shape))
    if dtype == "any":
        return value
    if (not value.is_floating_point()) if dtype == "floating" else value.dtype != dtype:
        expected = torch.float32 if dtype == "floating" else dtype
        raise wrong_value(f"returned {value.dtype}, not {expected}", dtype_cause(value.dtype, expected))
    return value.float() if dtype == "floating" else value
