"""What a hidden test can ask a student's notebook, and how it can fail.

A hidden test is a pytest function with a ``student`` argument. It can call a function of the notebook on tensors, run
a model with injected weights, read trained weights or a plain value: raw data that this module has checked, nothing
else. The same object serves a kernel, an author's notebook and the kit's own tests: only ``ask`` differs.
"""

import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from ..error_hints import MAX_TEXT, dtype_cause, error_cause, shape_cause, type_cause
from ..kernel.training_reuse import by_shape
from ..kernel.wire import MAX_ITEMS, Other, Packet, Value, WireError, describe, describe_arguments, restore
from ..messages import say
from .failures import OtherParameters, StudentFailure, missing_name, raised_verdict
from .result import Verdict

__all__ = ["TRAVELS", "Ask", "Dtype", "Forward", "StudentNotebook", "Weights", "travels_whole", "type_name"]

Ask = Callable[[Packet], Packet]
"""Sends a question, returns the answer. Raises :class:`StudentFailure` when the kernel dies or takes too long."""

Dtype = torch.dtype | Literal["floating", "any"]
"""What a tensor's dtype has to be; any floating type comes back as float32."""

Argument = torch.Tensor | np.ndarray | bool | float | str | list[Any] | tuple[Any, ...] | dict[Any, Any] | None
"""What a function of the notebook can be called with; an array arrives as an array."""

TRAVELS = (
    f"numbers, texts of at most {MAX_TEXT} characters, tensors and arrays travel, and lists, tuples and dicts of them "
    f"of fewer than {MAX_ITEMS} items (one of them in another counts two, an entry of a dict four)"
)
"""What a function can be called with and can return, for an author who asks for more."""


@dataclass(frozen=True)
class Forward:
    """A model's answer."""

    logits: torch.Tensor
    gradients: list[torch.Tensor]
    """Of the cross entropy, one for each parameter in the order of ``by_shape``; empty without labels."""


@dataclass(frozen=True)
class Weights:
    """The parameters of a model of the notebook."""

    parameters: list[torch.Tensor]
    """In the order of ``by_shape``."""
    buffers: int
    """Number of buffers, such as batch statistics."""

    def copy_into(self, model: nn.Module) -> bool:
        """Load the parameters into ``model``; False when the shapes do not agree."""
        targets = by_shape(model)
        if [p.shape for p in targets] != [p.shape for p in self.parameters]:
            return False
        with torch.no_grad():
            for target, value in zip(targets, self.parameters, strict=True):
                target.copy_(value)
        return True


def _wrong(note: str, cause: str = "") -> StudentFailure:
    return StudentFailure(Verdict.FAILED, cause, note)


KEPT = 60
"""Questions of one hidden test that are kept for an appeal."""

SHOWN = 6
"""Numbers of a tensor that are shown then."""


def _asked(question: Packet) -> str:
    """A question in one line."""
    fields, tensors = question.fields, question.tensors
    inputs = [restore(value, tensors) for value in fields.get("args", [])]
    inputs += [tensors["x"]] if "x" in tensors else []
    notes = [f"{fields['weights']} injected weights"] if fields.get("weights") else []
    notes += [note for note, wanted in (("gradients", "labels"), ("training mode", "train")) if fields.get(wanted)]
    return f"{fields['ask']} {fields.get('name', '')}({'; '.join([*map(_shown, inputs), *notes])})"


def _came_back(reply: Packet) -> str:
    """An answer in one line, whatever the student's kernel made of it."""
    fields = reply.fields
    told = [name for name in ("status", "type", "message", "parameters", "buffers") if name in fields]
    parts = [f"{name}={fields[name]!r}"[:300] for name in told if fields[name] != "ok"]
    if "value" in fields:
        try:
            parts.insert(0, _shown(restore(fields["value"], reply.tensors)))
        except WireError as error:
            parts.insert(0, f"unreadable: {error}")
    return ", ".join(parts)


def _shown(value: Value) -> str:
    if not isinstance(value, torch.Tensor):
        return (f"a {value.type_name}" if isinstance(value, Other) else repr(value))[:200]
    first = ", ".join(f"{number:.4g}" for number in value.flatten()[:SHOWN].tolist())
    more = ", ..." if value.numel() > SHOWN else ""
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)} [{first}{more}]"


class StudentNotebook:
    """A student's notebook, as far as a hidden test can see it.

    Args:
        ask: puts a question to the notebook.
        missing: says why the notebook lacks a name.
    """

    def __init__(self, ask: Ask, missing: Callable[[str], StudentFailure] = missing_name) -> None:
        self._ask = ask
        self._missing = missing
        self.asked: list[str] = []
        """What was asked and what came back, for an appeal; not more than :data:`KEPT`."""
        self.accuracy: tuple[float, float] | None = None
        """A hidden test of a trained model leaves here what it measured and what is required, for the class report."""

    def _answer(self, ask: str, fields: dict[str, object], tensors: dict[str, torch.Tensor] | None = None) -> Packet:
        question = Packet({"ask": ask} | fields, tensors or {})
        came_back = "nothing"
        try:
            reply = self._ask(question)
            came_back = _came_back(reply)
        except StudentFailure as failure:
            came_back = f"{failure.verdict} {failure.note}"
            raise
        finally:
            if len(self.asked) < KEPT:
                self.asked.append(f"{_asked(question)} -> {came_back}")
        status = reply.fields.get("status")
        if status == "ok":
            return reply
        if status == "missing":
            raise self._missing(str(fields.get("name")))
        if status == "other_parameters":
            note = "the model has parameters of other shapes"
            raise OtherParameters(Verdict.FAILED, say("cause.parameters"), note)
        if status == "no_model":
            raise _wrong("not a model", say("cause.no_model"))
        kind, message = str(reply.fields.get("type")), str(reply.fields.get("message"))
        # The message may hold the hidden test's inputs, and so may the name of a student's own exception class.
        known = isinstance(getattr(builtins, kind, None), type)
        detail = say("separator").join((kind if known else "Exception", error_cause(kind, message)))
        raise StudentFailure(raised_verdict(kind, message), detail, note=f"{kind}: {message}")

    def _value(self, reply: Packet) -> Value:
        try:
            return restore(reply.fields.get("value"), reply.tensors)
        except WireError as error:
            raise _wrong(str(error)) from error

    def value(self, name: str) -> Value:
        """The global variable ``name``: a bool, int, float, str, tensor or None, or a list, tuple or dict of them.

        An array is a tensor here, any other type an :class:`Other`.
        """
        return self._value(self._answer("value", {"name": name}))

    def call(self, name: str, *args: Argument) -> Value:
        """What the function ``name`` returns for ``args``; a model class is instantiated and run.

        It may be of any type: what a test does with it must not raise. The methods below see to that.
        """
        return self._value(self._call(name, *args))

    def _call(self, name: str, *args: Argument, after: bool = False) -> Packet:
        tensors: dict[str, torch.Tensor] = {}
        described = describe_arguments(args, tensors)
        if not all(map(_is_whole, args, described)):  # else the student's code would get something else
            raise ValueError(f"{name} cannot be called with this: {TRAVELS}")
        arrays = [f"a{i}" for i, argument in enumerate(args) if isinstance(argument, np.ndarray)]
        return self._answer("call", {"name": name, "args": described, "arrays": arrays, "after": after}, tensors)

    def tensor(
        self,
        name: str,
        *args: Argument,
        shape: Sequence[int],
        dtype: Dtype = "floating",
    ) -> torch.Tensor:
        """The tensor that the function ``name`` returns for ``args``; any other shape or dtype is wrong."""
        return _checked(self.call(name, *args), shape, dtype)

    def tensors(
        self, name: str, *args: Argument, shapes: Sequence[Sequence[int]], dtype: Dtype = "floating"
    ) -> list[torch.Tensor]:
        """The tensors that the function ``name`` returns as a tuple or list, one for each of ``shapes``.

        A float is a tensor of the shape (); any other number of tensors, shape or dtype is wrong.
        """
        values = self.call(name, *args)
        if not isinstance(values, tuple | list):
            raise _wrong(f"returned {type_name(values)}, not a tuple", type_cause(type_name(values), "tuple"))
        if len(values) != len(shapes):
            cause = say("cause.items", actual=len(values), expected=len(shapes))
            raise _wrong(f"returned {len(values)} values, not {len(shapes)}", cause)
        tensors = [torch.tensor(value) if isinstance(value, float) else value for value in values]
        return [_checked(value, shape, dtype) for value, shape in zip(tensors, shapes, strict=True)]

    def number(self, name: str, *args: Argument) -> float:
        """The real number that the function ``name`` returns: a float, or a floating tensor with one element."""
        value = self.call(name, *args)
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            value = value.item()
        if not isinstance(value, float):
            raise _wrong(f"{name} returned {type_name(value)}, not a float", type_cause(type_name(value), "float"))
        return value

    def integer(self, name: str) -> int:
        """The integer that the global variable ``name`` holds; True is none."""
        value = self.value(name)
        if value is None:
            raise _wrong(f"{name} is None", say("cause.is_none"))
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong(f"{name} is {type_name(value)}, not an int", type_cause(type_name(value), "int"))
        return value

    def must_leave_alone(self, name: str, *args: Argument) -> None:
        """Call the function ``name`` on ``args``, or run the model of that name on the only one.

        Raises:
            StudentFailure: if it modifies one of them.
        """
        before: dict[str, torch.Tensor] = {}
        described = describe_arguments(args, before)
        before = {key: tensor.clone() for key, tensor in before.items()}  # an author's notebook gets these themselves
        reply = self._call(name, *args, after=True)
        # tensors are compared by what is in them, lists and dicts by how they travel
        if reply.fields.get("args") != described or not all(_same(t, reply.tensors.get(k)) for k, t in before.items()):
            raise _wrong(f"{name} modifies what it is given", say("cause.modified"))

    def forward(
        self,
        name: str,
        x: torch.Tensor,
        weights: Sequence[torch.Tensor] | None = None,
        labels: torch.Tensor | None = None,
        train: bool = False,
        classes: int = 10,
    ) -> Forward:
        """Run the model ``name``, a class or an instance, that gives one row of numbers for each row of ``x``.

        Any other model is asked by :meth:`call`; with injected weights, through a given cell that makes and loads it.

        Args:
            name: a class is instantiated, with the same initial weights each time; an instance is left as it was.
            x: batch, shape (N, ...).
            weights: parameters to inject first, in the order of ``by_shape``.
            labels: int64 (N,); when given, the gradients of the cross entropy come back as well.
            train: run in training mode.
            classes: the logits must have the shape (N, classes).
        """
        tensors = {"x": x} | {f"w{i}": w for i, w in enumerate(weights or [])}
        if labels is not None:
            tensors["labels"] = labels
        fields = {"name": name, "weights": len(weights or []), "labels": labels is not None, "train": train}
        reply = self._answer("forward", fields, tensors)
        logits = _checked(self._value(reply), (len(x), classes), "floating")
        gradients = []
        for i, weight in enumerate(weights or []) if labels is not None else ():
            if f"g{i}" not in reply.tensors:  # the logits are an array, which travels as a tensor
                raise _wrong("no gradients", say("cause.detached"))
            gradients.append(_checked(reply.tensors.get(f"g{i}"), weight.shape, "floating"))
        return Forward(logits, gradients)

    def weights(self, name: str) -> Weights:
        """The parameters of the model ``name`` as they are now."""
        reply = self._answer("weights", {"name": name})
        count, buffers = reply.fields.get("parameters"), reply.fields.get("buffers")
        if not isinstance(count, int) or not 0 <= count <= len(reply.tensors):
            raise _wrong("no readable parameters")
        parameters = [reply.tensors.get(f"p{i}") for i in range(count)]
        if not all(isinstance(p, torch.Tensor) and p.is_floating_point() for p in parameters) or not isinstance(
            buffers, int
        ):
            raise _wrong("no readable parameters")
        return Weights([p.float() for p in parameters if p is not None], buffers)


def _same(a: torch.Tensor, b: torch.Tensor | None) -> bool:
    return b is not None and a.dtype == b.dtype and torch.equal(a, b)


def travels_whole(value: Any) -> bool:
    """Whether ``value`` is the same at the other end, and no :class:`Other` there."""
    return _is_whole(value, describe(value, "", {}))


def _is_whole(argument: Any, description: dict[str, Any]) -> bool:
    """Whether ``description`` has all of ``argument``."""
    value = description.get("value")
    if isinstance(value, list):
        inner = argument.items() if isinstance(argument, dict) else argument
        return all(map(_is_whole, inner, value))
    return description["kind"] != "other" and (not isinstance(argument, str) or value == str(argument))


def type_name(value: Value) -> str:
    """The name of the type that a value of the notebook has."""
    return value.type_name if isinstance(value, Other) else type(value).__name__


def _checked(value: object, shape: Sequence[int], dtype: Dtype) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        name = type_name(value)  # type: ignore[arg-type]
        raise _wrong(f"returned {name}, not a tensor", type_cause(name, "Tensor"))
    if tuple(value.shape) != tuple(shape):
        raise _wrong(f"returned the shape {tuple(value.shape)}, not {tuple(shape)}", shape_cause(value.shape, shape))
    if dtype == "any":
        return value
    if (not value.is_floating_point()) if dtype == "floating" else value.dtype != dtype:
        wanted = torch.float32 if dtype == "floating" else dtype
        raise _wrong(f"returned {value.dtype}, not {wanted}", dtype_cause(value.dtype, wanted))
    return value.float() if dtype == "floating" else value
