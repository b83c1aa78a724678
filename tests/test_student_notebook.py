"""What a hidden test can ask a student's notebook, and what comes back."""

import math
import warnings
from collections.abc import Callable
from textwrap import dedent
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from course_lib.authoring import StudentFailure, StudentNotebook, expect
from course_lib.authoring.live import student_of
from course_lib.authoring.notebook import MAX_ASKED
from course_lib.error_causes import MAX_TEXT
from course_lib.kernel.model_state import by_shape
from course_lib.kernel.responder import Responder
from course_lib.kernel.wire import MAX_JSON, Packet
from course_lib.messages import say
from course_lib.results.failures import ParameterMismatch
from course_lib.results.result import Verdict


def student_with(source: str, **variables: object) -> StudentNotebook:
    """A notebook that has run ``source``."""
    namespace: dict[str, object] = {"np": np, "torch": torch, "nn": nn} | variables
    exec(dedent(source), namespace)
    return student_of(namespace)


# -- exceptions ---------------------------------------------------------------------------------------------------------


class Unprintable(Exception):
    def __str__(self) -> str:
        raise TypeError


def raising(error: Exception) -> Callable[..., None]:
    def function(*args: float) -> None:
        raise error

    return function


@pytest.mark.parametrize(
    ("function", "note"),
    [
        (raising(ValueError("x" * 10**6)), "ValueError: x"),
        (raising(Unprintable()), "Unprintable: "),
        (lambda x: torch.eye(3).to_sparse(), ""),
    ],
    ids=["long", "unprintable", "sparse"],
)
def test_any_exception_and_any_tensor_is_an_answer(function: Callable[[float], Any], note: str) -> None:
    with pytest.raises(StudentFailure) as failure:
        student_of({"f": function}).call("f", 1.0)
    assert failure.value.verdict is Verdict.ERROR
    assert failure.value.note.startswith(note)


def test_of_a_long_message_only_a_part_is_kept() -> None:
    """Even if the kernel sends more than it should."""
    question = Packet({"ask": "call", "name": "f", "args": [], "keywords": {}})
    reply = Responder({"f": raising(ValueError("x" * 10**6))}).answer(question)
    assert len(reply.fields["message"]) == MAX_TEXT
    lying = StudentNotebook(lambda question: Packet({"status": "raised", "type": "E" * 10**6, "message": "x" * 10**6}))
    with pytest.raises(StudentFailure) as failure:
        lying.value("x")
    assert len(failure.value.note) <= 1000


def test_the_questions_kept_for_an_appeal_are_limited() -> None:
    """They stay in memory, and in every result."""
    student = student_of({"x": 3})
    for _ in range(2 * MAX_ASKED):
        student.value("x")
    assert len(student.asked) == MAX_ASKED


# -- models -------------------------------------------------------------------------------------------------------------


class Noisy(nn.Module):
    """Its weights are drawn, and one of them has no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 2))
        self.lines[0].weight.requires_grad_(False)
        self.unused = nn.Parameter(torch.ones(7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lines(x)


def test_a_model_class_starts_with_the_same_weights() -> None:
    student, x = student_of({"Noisy": Noisy}), torch.rand(5, 3)
    first = student.forward("Noisy", x, shape=(5, 2)).outputs
    torch.rand(1)
    state = torch.get_rng_state()
    second = student.forward("Noisy", x, shape=(5, 2)).outputs
    assert torch.equal(first, second), "the same weights, and no dropout"
    assert torch.equal(state, torch.get_rng_state()), "the notebook's next random numbers stay the same"


def test_weights_are_injected_and_gradients_come_back() -> None:
    student, x = student_of({"Noisy": Noisy}), torch.rand(5, 3)
    weights = [torch.ones_like(p) for p in by_shape(Noisy())]
    answer = student.forward("Noisy", x, weights, torch.arange(5) % 2, shape=(5, 2), train=True)
    assert len(answer.gradients) == len(weights)
    evaluated = student.forward("Noisy", x, weights, shape=(5, 2)).outputs
    assert not torch.equal(answer.outputs, evaluated), "dropout works in training mode only"
    with pytest.raises(ParameterMismatch):
        student.forward("Noisy", x, weights[1:], shape=(5, 2))


def test_gradients_of_another_loss_come_back() -> None:
    student = student_with(
        """
        class Line(nn.Linear):
            def __init__(self):
                super().__init__(3, 1)
        """
    )
    x, targets = torch.rand(5, 3), torch.rand(5, 1)
    weights = [torch.ones(1), torch.ones(1, 3)]
    answer = student.forward("Line", x, weights, targets, shape=(5, 1), loss="mse_loss", train=True)
    outputs = x.sum(1, keepdim=True) + 1
    assert torch.allclose(answer.outputs, outputs)
    assert torch.allclose(answer.gradients[0], 2 * (outputs - targets).mean(0))


def test_an_unknown_loss_is_a_fault_of_the_test() -> None:
    with pytest.raises(ValueError, match=r"torch\.nn\.functional has no loss 'mse'"):
        student_of({}).forward("Line", torch.rand(5, 3), loss="mse", shape=(5, 1))


def test_a_value_that_is_no_model_is_called_that() -> None:
    with pytest.raises(StudentFailure) as failure:
        student_of({"net": 3}).forward("net", torch.rand(5, 3), shape=(5, 2))
    assert failure.value.detail == say("cause.not_a_model")


def test_a_model_that_is_still_none_is_an_error() -> None:
    """Unlike a wrong answer, an error in a cell that was left unchanged counts as not attempted."""
    with pytest.raises(StudentFailure) as failure:
        student_of({"model": None}).forward("model", torch.ones(1, 2), shape=(1, 10))
    assert failure.value.verdict is Verdict.ERROR
    assert say("cause.none") in failure.value.detail


KEEPS = """
    class Keeps(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.norm, self.frozen = nn.Linear(4, 3), nn.BatchNorm1d(3), nn.BatchNorm1d(3)

        def forward(self, x):
            self.features = self.linear(x)
            return self.norm(self.features)

    model = Keeps()
    model.frozen.eval()
    model(torch.ones(5, 4)).sum().backward()
"""


def test_a_trained_model_is_left_as_it_was() -> None:
    """Even if it stores what it has computed, which cannot be copied."""
    namespace: dict[str, Any] = {"torch": torch, "nn": nn}
    exec(dedent(KEEPS), namespace)
    model = namespace["model"]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradient = model.linear.weight.grad.clone()
    student = student_of(namespace)
    x, labels = torch.rand(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    weights = [torch.ones(p.shape) for p in by_shape(model)]
    answer = student.forward("model", x, weights, labels, shape=(6, 3), train=True)
    assert len(answer.gradients) == len(weights)
    student.must_not_modify("model", x)
    unchanged = {name: bool((value == before[name]).all()) for name, value in model.state_dict().items()}
    assert unchanged == dict.fromkeys(before, True)
    assert torch.equal(model.linear.weight.grad, gradient)
    assert (model.training, model.norm.training, model.frozen.training) == (True, True, False)


def test_a_function_has_gradients_and_a_model_does_not() -> None:
    """A function may train something."""

    def slope(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        w = torch.zeros((), requires_grad=True)
        for _ in range(50):
            (gradient,) = torch.autograd.grad(((w * x - y) ** 2).mean(), w)
            w = (w - 0.1 * gradient).detach().requires_grad_()
        return w

    class Gradients(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.full((len(x), 2), float(torch.is_grad_enabled()))

    x = torch.tensor([1.0, 2.0])
    student = student_of({"slope": slope, "Gradients": Gradients, "model": Gradients()})
    assert student.tensor("slope", x, 3 * x, shape=()).item() == pytest.approx(3)
    for name in ("Gradients", "model"):
        assert not student.tensor(name, x, shape=(2, 2)).any()
        assert not student.forward(name, x, shape=(2, 2)).outputs.any()


# -- functions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [torch.empty, torch.Tensor], ids=["empty", "Tensor"])
def test_uninitialized_memory_never_holds_zeros(empty: Any) -> None:
    """By luck, it would hold the zeros that an answer forgot. The student's own settings of torch stay as they are."""

    def f(x: torch.Tensor) -> torch.Tensor:
        x.clone().put_(torch.tensor([0]), torch.ones(1))  # torch says that this may differ from run to run
        return empty(4, 10)

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a student may have turned warnings into errors
        for _ in range(20):
            assert student_of({"f": f}).tensor("f", torch.zeros(4), shape=(4, 10)).isnan().all()
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(a): return a - np.mean(a, axis=0)", [[-1.0, -1.0], [1.0, 1.0]]),
        ("def f(a): return a.astype(float).copy() - a.mean(axis=0, keepdims=True)", [[-1.0, -1.0], [1.0, 1.0]]),
        ("def f(a): return a.std(axis=0)", [1.0, 1.0]),
    ],
)
def test_an_array_arrives_as_an_array(source: str, expected: list[object]) -> None:
    student = student_with(source)
    found = student.call("f", np.array([[0.0, 1.0], [2.0, 3.0]]))
    assert isinstance(found, torch.Tensor)
    assert found.tolist() == expected
    student.must_not_modify("f", np.ones((2, 2)))


def test_tuples_and_dicts_arrive_and_come_back() -> None:
    def count(words: list[str], known: dict[str, int]) -> tuple[int, dict[str, int]]:
        return sum(word in known for word in words), {word: known.get(word, 0) for word in words}

    found = student_of({"count": count}).call("count", ["a", "b"], {"a": 7})
    assert found == (1, {"a": 7, "b": 0})


@pytest.mark.parametrize("returned", [(1.5, torch.ones(2)), [torch.tensor(1.5), torch.ones(2)]])
def test_several_tensors_come_back(returned: object) -> None:
    first, second = student_of({"f": lambda: returned}).tensors("f", shapes=[(), (2,)])
    assert (first.item(), second.tolist()) == (1.5, [1, 1])


@pytest.mark.parametrize(
    ("returned", "note"),
    [
        (torch.ones(2), "Tensor, not a tuple"),
        (None, "NoneType, not a tuple"),
        ((1.5,), "1 values, not 2"),
        ((1.5, "a"), "str, not a tensor"),
        ((1.5, torch.ones(3)), "the shape (3,), not (2,)"),
        ((1.5, torch.ones(2, dtype=torch.int64)), "not torch.float32"),
    ],
)
def test_anything_but_these_tensors_is_a_wrong_answer(returned: object, note: str) -> None:
    """It does not make the test itself fail."""
    with pytest.raises(StudentFailure) as failure:
        student_of({"f": lambda: returned}).tensors("f", shapes=[(), (2,)])
    assert note in failure.value.note


@pytest.mark.parametrize(
    ("source", "argument"),
    [
        ("def f(a): a += 1", np.ones(2)),
        ("def f(words): words.sort()", ["b", "a"]),
        ("def f(words): words[0].pop()", [["a"], ["b"]]),
        ("def f(known): known.setdefault('b', len(known))", {"a": 0}),
        ("def f(pair): pair[1]['a'] += 1", (1.5, {"a": 0})),
        ("def f(tensors): tensors[0].add_(1)", [torch.ones(2)]),
        ("def f(tensors): tensors.pop()", [torch.ones(2)]),
    ],
)
def test_a_function_that_modifies_its_argument_fails(source: str, argument: Any) -> None:
    student = student_with(source, g=lambda argument: list(argument))
    student.must_not_modify("g", argument)
    with pytest.raises(StudentFailure) as failure:
        student.must_not_modify("f", argument)
    assert failure.value.detail == say("cause.modified")


@pytest.mark.parametrize(
    ("argument", "what"),
    [
        (object(), "^An object cannot be sent to f"),
        ([{1: (object(),)}], "^An object cannot be sent to f"),
        (nn.Linear(1, 1), "^A Linear cannot be sent to f"),
        (lambda: 0, "^A function cannot be sent to f"),
        ("a" * (MAX_JSON + 1), "cannot be sent to f: 16 MB of strings and lists; at most 16 MB"),
    ],
    ids=range(5),
)
def test_an_argument_that_cannot_be_sent_is_a_fault(argument: Any, what: str) -> None:
    """The student's code would get something else, and lose points for it."""
    student = student_of({"f": lambda argument: argument})
    for ask in (student.call, student.must_not_modify):
        with pytest.raises(ValueError, match=rf"{what}.*student\.run"):
            ask("f", argument)


@pytest.mark.parametrize(
    "argument", [torch.tensor([math.nan]), [math.nan], pd.DataFrame({"x": [math.nan], "y": [None]})]
)
def test_an_argument_with_nan_can_be_left_alone(argument: Any) -> None:
    student = student_with("def f(x): pass\n\ndef g(x): x[0] = 0")
    student.must_not_modify("f", argument)
    with pytest.raises(StudentFailure):
        student.must_not_modify("g", argument)


@pytest.mark.parametrize("argument", ["a" * 500, list(range(999)), {"a": [torch.ones(2)]}, (), None, np.ones(3)])
def test_an_argument_that_can_be_sent_arrives_whole(argument: Any) -> None:
    student = student_of({"f": lambda argument: argument})
    expect(student.call("f", argument), lambda: argument, suspects={})
