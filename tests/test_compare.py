"""The one comparison of values: numbers within a tolerance, everything else exactly."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from course_lib.compare import close, identical, numbers

NAN = float("nan")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1.0),
        (1.0, 1.000001),
        (True, 1),
        (np.float32(2), 2),
        (float("inf"), float("inf")),
        (1 + 2j, torch.tensor(1 + 2j)),
        ([1.0, 2.0], torch.tensor([1.0, 2.0])),
        (np.ones((2, 2)), torch.ones(2, 2)),
        (np.arange(3)[::-1], [2, 1, 0]),
        (np.array([1.0, 2.0], ">f4"), [1, 2]),
        (torch.eye(2).to_sparse(), torch.eye(2)),
        (torch.ones(2, dtype=torch.bfloat16), torch.ones(2, requires_grad=True)),
        ((1, torch.ones(2)), (1.0, np.ones(2))),
        ({"a": [1.0, None, "é"]}, {"a": [1 + 1e-7, None, "é"]}),
        (Counter(a=2), {"a": 2}),
        (np.array(["a"]), np.array(["a"])),
        ([], []),
        (10**400, 10**400),
    ],
)
def test_equal_values_are_close(a: Any, b: Any) -> None:
    assert close(a, b)
    assert close(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1.0, 1.001),
        (NAN, NAN),
        (NAN, 1.0),
        ([1.0, NAN], [1.0, NAN]),
        (torch.tensor(NAN), torch.tensor(NAN)),
        (torch.ones(1), torch.ones(2)),
        (torch.ones(2, 1), torch.ones(1, 2)),
        ("1", 1),
        ("a", "b"),
        (None, 0),
        (["a"], ("a",)),
        (["a"], ["a", "b"]),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": 2}),
        (10**400, 10**400 + 1),
        (np.array(["a"]), np.array(["b"])),
    ],
)
def test_different_values_are_not_close(a: Any, b: Any) -> None:
    assert not close(a, b)
    assert not close(b, a)


def test_tolerances_are_relative_and_absolute() -> None:
    assert close(1000.5, 1000, rtol=1e-3, atol=0)
    assert not close(0.5, 0, rtol=1e-3, atol=0)
    assert close(0.5, 0, rtol=0, atol=1)


def test_numbers_have_the_shape_of_the_value() -> None:
    found = numbers([[1, 2.5], [True, 4]])
    assert found is not None
    assert found.tolist() == [[1, 2.5], [1, 4]]


@pytest.mark.parametrize("value", ["a", None, {"a": 1}, {1}, [1, None], [[1], [1, 2]], len, np.array(["a"]), object()])
def test_other_values_are_no_numbers(value: Any) -> None:
    assert numbers(value) is None


def test_identical_tensors_agree_in_dtype_and_every_bit() -> None:
    assert identical(torch.ones(2), torch.ones(2))
    assert not identical(torch.ones(2), torch.ones(2).double())
    assert not identical(torch.ones(2), torch.ones(1, 2))
    assert not identical(torch.ones(2), torch.ones(2) + 1e-6)
