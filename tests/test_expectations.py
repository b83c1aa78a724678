"""A student's answer is compared with the reference and with usual mistakes."""

from typing import Any

import pytest
import torch

from course_lib.authoring import StudentFailure, Text, expect, expect_all, likely
from course_lib.authoring.live import student_of
from course_lib.messages import say

DOUBLED = Text("c'est le double.", "this is twice the result.")
NEVER = {Text("Jamais.", "Never."): lambda: "never"}


def double(x: float) -> float:
    return 2 * x


def square(x: float) -> float:
    return x * x


def test_a_suspect_that_gives_the_answer_is_the_cause() -> None:
    with pytest.raises(StudentFailure) as failure:
        expect(6.0, square, 3.0, suspects={DOUBLED: double})
    assert failure.value.detail == str(DOUBLED)
    assert likely(6.0, {DOUBLED: double}, 3.0).detail == str(DOUBLED)


def test_a_suspect_must_explain_all_answers() -> None:
    with pytest.raises(StudentFailure) as failure:
        expect_all([6.0, 7.0], square, [(3.0,), (4.0,)], {DOUBLED: double})
    assert failure.value.detail == say("cause.values")


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.bfloat16, torch.complex64, torch.bool])
def test_a_wrong_answer_of_any_dtype_is_no_fault(dtype: torch.dtype) -> None:
    """Torch has no `isfinite` for some of them."""
    answer = torch.full((2, 10), 3.0).to(dtype)
    assert isinstance(likely(answer, {}), StudentFailure)
    with pytest.raises(StudentFailure):
        expect_all([answer], torch.zeros, [((2, 10),)], {})


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        (["a", "b"], ["a", "b"]),
        ({"a": [1.0, None]}, {"a": [1.0 + 1e-7, None]}),
        ("é", "é"),
        ((1, torch.ones(2)), (1, torch.ones(2))),
        ([1.0, 2.0], torch.tensor([1.0, 2.0])),
        (None, None),
        ("a" * 500, "a" * 500),
        (list(range(999)), list(range(999))),
        ((), ()),
    ],
)
def test_a_right_answer_may_be_of_any_type(answer: object, reference: Any) -> None:
    expect(student_of({"f": lambda: answer}).call("f"), lambda: reference, suspects=NEVER)


@pytest.mark.parametrize(
    ("answer", "reference", "cause"),
    [
        (None, torch.ones(2), "cause.no_return"),
        (None, ["a"], "cause.no_return"),
        (len, 2, "cause.not_called"),
        (["a"], torch.ones(2), "cause.type"),
        (("a", "b"), ["a", "b"], "cause.type"),
        ((1, "a"), [1, "a"], "cause.type"),
        ("1", 1.0, "cause.type"),
        ({"a"}, ["a"], "cause.type"),
        (["a", "B"], ["a", "b"], "cause.values"),
        (["a"], ["a", "b"], "cause.values"),
        ({"a": 1}, {"a": 2}, "cause.values"),
        ({"a": 1}, {"b": 1}, "cause.values"),
        (10**30, 1, "cause.values"),
        (1e300, 2e300, "cause.values"),
        (1.0, 1.001, "cause.values"),
        (torch.ones(1), torch.ones(2), "cause.values"),
        ([1.0, float("nan")], [1.0, 2.0], "cause.not_finite"),
    ],
)
def test_a_wrong_answer_of_any_type_has_a_cause(answer: object, reference: Any, cause: str) -> None:
    """Nothing that a student returns makes the test itself fail."""
    with pytest.raises(StudentFailure) as failure:
        expect(student_of({"f": lambda: answer}).call("f"), lambda: reference, suspects=NEVER)
    names = {
        "actual": type(answer).__name__,
        "expected": type(reference).__name__.replace("Tensor", "Tensor/ndarray"),
    }
    assert failure.value.detail == say(cause, **names)


@pytest.mark.parametrize("reference", [object(), [{1: (object(),)}]])
def test_a_reference_that_no_answer_can_match_is_a_fault(reference: Any) -> None:
    found = student_of({"f": lambda: reference}).call("f")
    with pytest.raises(ValueError, match="The reference returns an object, which a student's answer can never be"):
        expect(found, lambda: reference, suspects={})
