"""Compare values that hold numbers: scalars, tensors and arrays, also inside lists, tuples and dicts."""

from typing import Any

import numpy as np
import torch

__all__ = ["close", "identical", "numbers"]


def numbers(value: Any) -> torch.Tensor | None:
    """The numbers in ``value`` as one tensor, or None if it does not consist of numbers.

    Args:
        value: a number, a bool, a tensor, an array, or a nested list or tuple of numbers.

    Returns:
        A dense complex128 tensor on the CPU, which holds every other numeric type, with the shape of ``value``.
    """
    try:
        if isinstance(value, torch.Tensor):
            return value.detach().cpu().to(torch.complex128).to_dense()
        if isinstance(value, np.ndarray | np.generic):
            is_numeric = value.dtype.kind in "biufc"
            return torch.from_numpy(np.array(value, np.complex128, order="C")) if is_numeric else None
        return torch.as_tensor(value, dtype=torch.complex128)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None


def close(a: Any, b: Any, *, rtol: float = 1e-5, atol: float = 1e-5) -> bool:
    """Whether ``a`` equals ``b``, except for rounding errors.

    Lists, tuples and dicts are compared item by item. Numbers, and lists and tuples of numbers, are close if
    ``|a - b| <= atol + rtol * |b|``; their shapes must agree, their types need not. NaN is not close to anything, but
    missing values in pandas tables are equal. Everything else must be equal.

    Args:
        a: any value.
        b: the value to compare with.
        rtol: relative tolerance.
        atol: absolute tolerance.
    """
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[key], b[key], rtol=rtol, atol=atol) for key in b)
    if type(a) is type(b) and type(a).__module__.partition(".")[0] == "pandas":
        return _same_table(a, b, rtol, atol)
    if any(isinstance(a, kind) and isinstance(b, kind) for kind in (list, tuple)):
        return len(a) == len(b) and all(close(x, y, rtol=rtol, atol=atol) for x, y in zip(a, b, strict=True))
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and a.shape != b.shape:
        return False  # before the numbers of a huge answer are copied
    x, y = numbers(a), numbers(b)
    if x is not None and y is not None:
        return x.shape == y.shape and torch.allclose(x, y, rtol=rtol, atol=atol)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    return type(a) is type(b) and bool(a == b)


def _same_table(a: Any, b: Any, rtol: float, atol: float) -> bool:
    """Whether two pandas tables agree in columns, index and values. Missing values are equal."""
    from pandas import testing

    check = {"DataFrame": testing.assert_frame_equal, "Series": testing.assert_series_equal}.get(type(a).__name__)
    if check is None:
        return bool(a.equals(b))
    try:
        check(a, b, check_dtype=False, check_categorical=False, check_exact=False, rtol=rtol, atol=atol)
    except AssertionError:
        return False
    return True


def identical(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors have the same dtype, shape and values; NaN counts as the same value as NaN."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return bool(((a == b) | ((a != a) & (b != b))).all())
