"""A student's notebook, as hidden tests see it: an object that answers questions.

A hidden test is a pytest function with a ``student`` argument, a :class:`StudentNotebook`. The test can call a function
of the notebook, run a model with injected weights, read trained weights or a plain value, and send a probe: a function
of its own that works with the student's names. It gets raw data that this module has checked, and nothing else. The
same class is used for a kernel, an author's own notebook and the kit's tests; only the functions ``ask`` and
``ask_alone`` differ.
"""

import builtins
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from ..compare import identical
from ..error_causes import error_cause, type_cause
from ..kernel.model_state import copy_by_shape
from ..kernel.wire import Packet, Value, WireError, describe, describe_arguments, restore
from ..messages import say
from ..results.failures import BrokenProbe, ParameterMismatch, StudentFailure, exception_verdict, missing_name
from ..results.result import Verdict
from . import builtin_probes
from .builtin_questions import Probing
from .probe_source import names_asked, probe_source
from .student_code import StudentCode
from .transcript import answer_line, question_line
from .values import Argument, Dtype, check_can_be_sent, checked_tensor, type_name, wrong_value

Ask = Callable[[Packet], Packet]
"""Sends a question and returns the answer. Raises :class:`StudentFailure` if the kernel dies or takes too long."""

MAX_ASKED = 60
"""Questions of one hidden test that are kept for an appeal."""


@dataclass(frozen=True)
class Forward:
    """A model's outputs, and the gradients of a loss."""

    outputs: torch.Tensor
    """float32, of the shape that was asked for."""
    gradients: list[torch.Tensor]
    """One for each parameter, in the order of ``by_shape``. Empty if there were no targets."""


@dataclass(frozen=True)
class Weights:
    """The weights of a model of the notebook."""

    parameters: list[torch.Tensor]
    """In the order of ``by_shape``."""
    buffers: int
    """Number of buffers, such as batch statistics."""
    names: list[str] = field(default_factory=list)
    """The name of each parameter in the student's model, such as ``layers.0.weight``."""

    @property
    def by_name(self) -> dict[str, torch.Tensor]:
        """The parameters by their names."""
        return dict(zip(self.names, self.parameters, strict=True))

    def copy_into(self, model: nn.Module) -> bool:
        """Load the parameters into ``model``. Returns False, and changes nothing, if the shapes differ."""
        return copy_by_shape(model, self.parameters)


class StudentNotebook(Probing):
    """A student's notebook.

    Every method raises :class:`StudentFailure` if the notebook gives no usable answer: it raised an exception, a name
    is missing, or a type or shape is wrong.

    Args:
        ask: sends a question to the notebook.
        missing: makes the failure for a name that the notebook lacks.
        ask_alone: sends a question to a fork of the notebook, which ends with its answer.
        code: the code of the notebook.
    """

    def __init__(
        self,
        ask: Ask,
        missing: Callable[[str], StudentFailure] = missing_name,
        ask_alone: Ask | None = None,
        code: StudentCode | None = None,
    ) -> None:
        self._ask = ask
        self._ask_alone = ask_alone or ask
        self._missing = missing
        self.code = code or StudentCode([])
        """The code of the notebook up to the grade cell."""
        self.asked: list[str] = []
        """Questions and answers, one line each, for an appeal. At most :data:`MAX_ASKED`."""
        self.accuracy: tuple[float, float] | None = None
        """A hidden test of a trained model stores the measured and the required accuracy here, for the class report."""

    def _answer(
        self,
        ask: str,
        fields: dict[str, object],
        tensors: dict[str, torch.Tensor] | None = None,
        may_miss: Collection[str] = (),
    ) -> Packet:
        """The notebook's answer to a question.

        Args:
            ask: the type of the question, see :mod:`course_lib.kernel.responder`.
            fields: its fields.
            tensors: its tensors.
            may_miss: the names that a probe asks for. If one of them is missing, the student reads which.
        """
        question = Packet({"ask": ask} | fields, tensors or {})
        line = "nothing"
        try:
            reply = (self._ask_alone if ask == "run" else self._ask)(question)
            line = answer_line(reply)
        except StudentFailure as failure:
            line = f"{failure.verdict} {failure.note}"
            raise
        finally:
            if len(self.asked) < MAX_ASKED:
                self.asked.append(f"{question_line(question)} -> {line}")
        if reply.fields.get("status") == "ok":
            return reply
        raise self._failure(ask, fields, reply, may_miss)

    def _failure(self, ask: str, fields: dict[str, object], reply: Packet, may_miss: Collection[str]) -> Exception:
        """What an answer other than "ok" means."""
        kind, message = str(reply.fields.get("type")), str(reply.fields.get("message"))
        match reply.fields.get("status"):
            case "missing":
                name = str(reply.fields.get("name", fields["name"]))
                return self._missing(name if ask != "run" or name in may_miss else "?")
            case "parameter_mismatch":
                note = "the model has parameters of different shapes"
                return ParameterMismatch(Verdict.FAILED, say("cause.parameters"), note)
            case "not_a_model":
                return wrong_value("not a model", say("cause.not_a_model"))
            case "too_large":
                return wrong_value(f"the answer is too large: {message}", say("cause.too_large"))
            case "probe_raised":
                return BrokenProbe(str(fields["name"]), reply.fields.get("line"), kind, message)
        # the message may hold the hidden test's inputs, and so may the name of a student's own exception class
        is_builtin = isinstance(getattr(builtins, kind, None), type)
        detail = say("separator").join((kind if is_builtin else "Exception", error_cause(kind, message)))
        lines = reply.fields.get("lines")
        if ask == "run" and isinstance(lines, list) and (line := self.code.own_line(lines)):
            detail = say("in_line", line=line, error=detail)
        return StudentFailure(exception_verdict(kind, message), detail, note=f"{kind}: {message}")

    def _value(self, reply: Packet) -> Value:
        try:
            return restore(reply.fields.get("value"), reply.tensors)
        except WireError as error:
            raise wrong_value(str(error)) from error

    def value(self, name: str) -> Value:
        """The global variable ``name``, a :data:`~course_lib.kernel.wire.Value`.

        An array of numbers is returned as a tensor, and a value that cannot be sent as an
        :class:`~course_lib.kernel.wire.Other`.
        """
        return self._value(self._answer("value", {"name": name}))

    def call(self, name: str, *args: Argument, **kwargs: Argument) -> Value:
        """What the function ``name`` returns for these arguments. A model class is instantiated and run.

        The answer may be of any type, so the test must handle all of them. The methods below check the type.

        Raises:
            ValueError: if an argument cannot be sent.
        """
        return self._value(self._call(name, args, kwargs))

    def run(self, probe: Callable[..., object], *args: Argument, **kwargs: Argument) -> Value:
        """What the function ``probe`` returns, run in a fork of the student's kernel.

        The probe gets the student's names as its first argument: ``nb.softmax`` is the student's function. Its changes
        are discarded afterwards. It returns plain values, which the test compares with the right ones. It never returns
        a verdict, because the student's code can see the probe while it runs, and answer in its place.

        Args:
            probe: a function at the top level of a file of hidden tests. It may use that file's imports, constants
                and other functions, but nothing of course_lib.authoring.
            *args: its arguments after the notebook.
            **kwargs: its keyword arguments.

        Raises:
            ValueError: if the probe or an argument cannot be sent.
            BrokenProbe: if a line of the probe itself raised an exception.
        """
        return self._value(self._run(probe, args, kwargs))

    def _run(self, probe: Callable[..., object], args: Sequence[Argument], kwargs: Mapping[str, Argument]) -> Packet:
        source, name = probe_source(probe)
        fields, tensors = self._arguments(name, args, kwargs)
        fields["source"] = source
        if probe.__module__ == builtin_probes.__name__:  # its own lines are not the author's
            may_miss = [argument for argument in args if isinstance(argument, str)]
            fields |= {"of_kit": True, "about": may_miss[:1]}
        else:
            may_miss = names_asked(source)
        return self._answer("run", fields, tensors, may_miss)

    def _seconds_of(
        self, probe: Callable[..., object], args: Sequence[Argument], kwargs: Mapping[str, Argument]
    ) -> float:
        seconds = self._run(probe, args, kwargs).fields.get("seconds")
        return seconds if isinstance(seconds, float) else 0.0

    def _arguments(
        self, name: str, args: Sequence[Argument], kwargs: Mapping[str, Argument]
    ) -> tuple[dict[str, object], dict[str, torch.Tensor]]:
        """The fields and tensors of a question with arguments."""
        tensors: dict[str, torch.Tensor] = {}
        described = describe_arguments(args, tensors)
        keywords = {key: describe(value, f"k_{key}", tensors) for key, value in kwargs.items()}
        check_can_be_sent(name, [described, keywords], tensors)
        return {"name": name, "args": described, "keywords": keywords}, tensors

    def _call(self, name: str, args: Sequence[Argument], kwargs: Mapping[str, Argument], after: bool = False) -> Packet:
        fields, tensors = self._arguments(name, args, kwargs)
        return self._answer("call", fields | {"after": after}, tensors)

    def tensor(
        self, name: str, *args: Argument, shape: Sequence[int], dtype: Dtype = "floating", **kwargs: Argument
    ) -> torch.Tensor:
        """The tensor of this shape and dtype that the function ``name`` returns for these arguments."""
        return checked_tensor(self.call(name, *args, **kwargs), shape, dtype)

    def tensors(
        self,
        name: str,
        *args: Argument,
        shapes: Sequence[Sequence[int]],
        dtype: Dtype = "floating",
        **kwargs: Argument,
    ) -> list[torch.Tensor]:
        """The tensors of these shapes that the function ``name`` returns as a tuple or list.

        A float counts as a tensor of shape ().
        """
        values = self.call(name, *args, **kwargs)
        if not isinstance(values, tuple | list):
            raise wrong_value(f"returned {type_name(values)}, not a tuple", type_cause(type_name(values), "tuple"))
        if len(values) != len(shapes):
            cause = say("cause.items", actual=len(values), expected=len(shapes))
            raise wrong_value(f"returned {len(values)} values, not {len(shapes)}", cause)
        tensors = [torch.tensor(value) if isinstance(value, float) else value for value in values]
        return [checked_tensor(value, shape, dtype) for value, shape in zip(tensors, shapes, strict=True)]

    def number(self, name: str, *args: Argument, integers: bool = True, **kwargs: Argument) -> float:
        """The real number that the function ``name`` returns: a float, an int, or a tensor with one such element.

        Args:
            name: of the function.
            *args: its arguments.
            integers: whether an int is accepted, too.
            **kwargs: its keyword arguments.
        """
        value = self.call(name, *args, **kwargs)
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            value = value.item()
        if integers and type(value) is int and abs(value) < 2**63:
            return float(value)
        if not isinstance(value, float):
            raise wrong_value(f"{name} returned {type_name(value)}, not a float", type_cause(type_name(value), "float"))
        return value

    def integer(self, name: str) -> int:
        """The integer that the global variable ``name`` holds. A bool is not an integer."""
        value = self.value(name)
        if value is None:
            raise wrong_value(f"{name} is None", say("cause.is_none"))
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_value(f"{name} is {type_name(value)}, not an int", type_cause(type_name(value), "int"))
        return value

    def must_not_modify(self, name: str, *args: Argument) -> None:
        """Check that the function or model ``name`` does not modify ``args``."""
        before: dict[str, torch.Tensor] = {}
        described = describe_arguments(args, before)
        before = {key: tensor.clone() for key, tensor in before.items()}  # in an author's notebook, these may change
        reply = self._call(name, args, {}, after=True)
        # lists and dicts are compared by their descriptions, tensors by their values
        is_unchanged = reply.fields.get("args") == described and all(
            key in reply.tensors and identical(tensor, reply.tensors[key]) for key, tensor in before.items()
        )
        if not is_unchanged:
            raise wrong_value(f"{name} modifies what it is given", say("cause.modified"))

    def forward(
        self,
        name: str,
        x: torch.Tensor,
        weights: Sequence[torch.Tensor] | None = None,
        targets: torch.Tensor | None = None,
        *,
        shape: Sequence[int],
        loss: str = "cross_entropy",
        train: bool = False,
    ) -> Forward:
        """Run the model ``name``, which must return a floating tensor with one row for each row of ``x``.

        Use :meth:`outputs` for models with other inputs and outputs, and a probe for another loss.

        Args:
            name: a model, which is left unchanged, or a model class, which starts with the same weights each time.
            x: a batch, shape (N, ...).
            weights: parameters to inject first, in the order of ``by_shape``.
            targets: if given, the gradients of the loss are returned, too. Class labels are int64, shape (N,).
            shape: the shape that the outputs must have, (N, ...).
            loss: the name of a loss in ``torch.nn.functional``, called with the outputs and the targets.
            train: whether to run in training mode.

        Raises:
            ParameterMismatch: if the weights do not fit.
            ValueError: if torch has no such loss.
        """
        if not callable(getattr(nn.functional, loss, None)):
            raise ValueError(f"torch.nn.functional has no loss {loss!r}")
        tensors = {"x": x} | {f"w{i}": w for i, w in enumerate(weights or [])}
        if targets is not None:
            tensors["targets"] = targets
        fields = {"name": name, "weights": len(weights or []), "train": train}
        reply = self._answer("forward", fields | ({} if targets is None else {"loss": loss}), tensors)
        outputs = checked_tensor(self._value(reply), shape, "floating")
        gradients = []
        for i, weight in enumerate(weights or []) if targets is not None else ():
            if f"g{i}" not in reply.tensors:  # the outputs are an array, which is returned as a tensor
                raise wrong_value("no gradients", say("cause.detached"))
            gradients.append(checked_tensor(reply.tensors[f"g{i}"], weight.shape, "floating"))
        return Forward(outputs, gradients)

    def weights(self, name: str) -> Weights:
        """The current weights of the model ``name``."""
        reply = self._answer("weights", {"name": name})
        count, buffers, names = (reply.fields.get(field) for field in ("parameters", "buffers", "names"))
        if not isinstance(count, int) or not isinstance(buffers, int) or not 0 <= count <= len(reply.tensors):
            raise wrong_value("no readable parameters")
        parameters = [reply.tensors[f"p{i}"] for i in range(count) if f"p{i}" in reply.tensors]
        if len(parameters) < count or not all(p.is_floating_point() for p in parameters):
            raise wrong_value("no readable parameters")
        named = isinstance(names, list) and len(names) == count
        return Weights([p.float() for p in parameters], buffers, [*map(str, names or [])] if named else [])
