"""The values that a hidden test sends to a student's notebook and gets back."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from ..error_hints import MAX_TEXT, dtype_cause, shape_cause, type_cause
from ..kernel.wire import MAX_ITEMS, Other, Value, describe
from .failures import StudentFailure
from .result import Verdict

Dtype = torch.dtype | Literal["floating", "any"]
"""The dtype that a tensor must have. With ``"floating"``, any floating dtype is right and comes back as float32."""

Argument = torch.Tensor | np.ndarray | bool | float | str | list[Any] | tuple[Any, ...] | dict[Any, Any] | None
"""An argument for a function of the notebook. An array arrives there as an array."""

TRANSFERABLE = (
    f"only numbers, texts of at most {MAX_TEXT} characters, tensors, arrays, and lists, tuples and dicts of them can "
    f"be transferred, with fewer than {MAX_ITEMS} items (a list in a list counts two, an entry of a dict four)"
)
"""The values that a function can take and return, for an author who uses another one."""


def wrong_value(note: str, cause: str = "") -> StudentFailure:
    """The failure of an answer with the wrong type, shape or dtype.

    Args:
        note: what came back, for the instructor.
        cause: the likely cause, for the student.
    """
    return StudentFailure(Verdict.FAILED, cause, note)


def is_transferable(value: Any) -> bool:
    """Whether ``value`` arrives unchanged at the other end."""
    return is_whole(value, describe(value, "", {}))


def is_whole(value: Any, description: dict[str, Any]) -> bool:
    """Whether ``description``, made by :func:`~course_lib.kernel.wire.describe`, holds all of ``value``."""
    described = description.get("value")
    if isinstance(described, list):
        parts = value.items() if isinstance(value, dict) else value
        return all(map(is_whole, parts, described))
    return description["kind"] != "other" and (not isinstance(value, str) or described == str(value))


def type_name(value: Value) -> str:
    """The name of the type that a value has in the notebook."""
    return value.type_name if isinstance(value, Other) else type(value).__name__


def checked_tensor(value: object, shape: Sequence[int], dtype: Dtype) -> torch.Tensor:
    """``value``, if it is a tensor of this shape and dtype.

    Raises:
        StudentFailure: if it is not.
    """
    if not isinstance(value, torch.Tensor):
        name = type_name(value)  # type: ignore[arg-type]
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
