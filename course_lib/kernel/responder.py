"""Answers the judge's questions about one notebook's namespace.

The questions, by their field ``ask``:

========== ===================================== =============================================================
ask        fields                                answer
========== ===================================== =============================================================
ping                                             ``{}``
value      ``name``                              ``value``
call       ``name``, ``args`` (values);          ``value``, what the function or model returned; with ``after`` also
           ``arrays``: keys of those tensors     ``args``, its arguments as it left them
           that arrive as numpy arrays;
           ``after``: bool
forward    ``name``, ``x``; ``weights``: number  ``value``, the logits; with ``labels`` also the gradients of the
           of tensors ``w0``.. to inject first;  cross entropy, ``g0``.. . A class is instantiated first, an
           ``labels``: bool; ``train``: bool     instance is left as it was. A class is seeded: it begins with the
                                                 same weights each time
weights    ``name``                              ``parameters``, the number of the tensors ``p0``.., and the number of
                                                 ``buffers``
trainings                                        see :mod:`course_lib.kernel.training_reuse`
figures                                          see :mod:`course_lib.kernel.figures`
========== ===================================== =============================================================

Every answer has a ``status``: ``ok``, ``missing`` (no such name), ``no_model``, ``other_parameters`` (the injected
weights do not fit the model), ``raised`` (with ``type`` and ``message``).
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any

import torch
from torch import nn

from ..checks import is_model_class
from ..device import seed
from ..error_hints import MAX_TEXT
from . import figures, training_reuse
from .training_reuse import by_shape, left_as_it_was
from .wire import Packet, describe, describe_arguments, pack, restore, unpack

__all__ = ["Responder"]


class _Missing(Exception):
    """The notebook defines no such name."""


class _NoModel(Exception):
    """The name stands for something that is not a model."""


class _OtherParameters(Exception):
    """The injected weights do not fit the model."""


def raised(error: BaseException) -> Packet:
    """The answer that reports an exception."""
    try:
        message = str(error)[:MAX_TEXT]
    except Exception:
        message = ""
    return Packet({"status": "raised", "type": type(error).__name__[:MAX_TEXT], "message": message})


class Responder:
    """Answers questions about ``namespace``, the global variables of a notebook."""

    def __init__(self, namespace: MutableMapping[str, Any]) -> None:
        self.namespace = namespace
        self._answers: dict[str, Callable[[Packet], Packet]] = {
            "ping": lambda question: Packet(),
            "value": self._value,
            "call": self._call,
            "forward": self._forward,
            "weights": self._weights,
            "trainings": lambda question: training_reuse.report(),
            "figures": lambda question: figures.report(),
        }

    def packed_answer(self, content: Any, buffers: Sequence[bytes | memoryview]) -> tuple[dict[str, Any], bytes]:
        """The same as :meth:`answer`, as it travels."""
        try:
            return pack(self.answer(unpack(content, buffers)))
        except Exception as error:  # a tensor that cannot travel: too large, sparse, on the meta device
            return pack(raised(error))

    def answer(self, question: Packet) -> Packet:
        """The answer to ``question``; whatever the student's code raises becomes part of it."""
        try:
            reply = self._answers[question.fields["ask"]](question)
            reply.fields["status"] = "ok"
            return reply
        except _Missing:
            return Packet({"status": "missing"})
        except _NoModel:
            return Packet({"status": "no_model"})
        except _OtherParameters:
            return Packet({"status": "other_parameters"})
        except BaseException as error:  # SystemExit and KeyboardInterrupt of the student's code included
            return raised(error)

    def _find(self, question: Packet) -> Any:
        name = question.fields["name"]
        if name not in self.namespace:
            raise _Missing(name)
        return self.namespace[name]

    def _reply(self, value: object) -> Packet:
        reply = Packet()
        reply.fields["value"] = describe(value, "value", reply.tensors)
        return reply

    def _value(self, question: Packet) -> Packet:
        return self._reply(self._find(question))

    def _call(self, question: Packet) -> Packet:
        function = self._find(question)
        if isinstance(function, nn.Module) or is_model_class(function):
            with self._model(question) as model:
                return self._called(model, question)
        return self._called(function, question)

    def _called(self, function: Callable[..., object], question: Packet) -> Packet:
        arrays: dict[str, Any] = {name: question.tensors[name].numpy() for name in question.fields["arrays"]}
        arguments = [restore(argument, question.tensors | arrays) for argument in question.fields["args"]]
        grad = torch.set_grad_enabled(not isinstance(function, nn.Module))  # a function may train something
        with grad, _no_luck_with_memory():
            reply = self._reply(function(*arguments))
        if question.fields.get("after"):
            reply.fields["args"] = describe_arguments(arguments, reply.tensors)
        return reply

    @contextlib.contextmanager
    def _model(self, question: Packet) -> Iterator[nn.Module]:
        """The model that is asked about, with injected weights if there are any; afterwards it is as it was before."""
        found = self._find(question)
        if isinstance(found, type):
            with torch.random.fork_rng(devices=[]):
                seed(0)
                found = found()
        if found is None:  # such as it was given, above the answer: nothing was tried
            raise TypeError("NoneType is no model")
        if not isinstance(found, nn.Module):
            raise _NoModel
        if any(isinstance(p, nn.UninitializedParameter) for p in found.parameters()):  # sizes come with a first batch
            with torch.no_grad():
                found(next(question.tensors[name] for name in ("x", "a0") if name in question.tensors))
        with left_as_it_was(found):
            injected = [question.tensors[f"w{i}"] for i in range(question.fields.get("weights", 0))]
            if injected:
                _inject(found, injected)
            found.train(bool(question.fields.get("train")))
            yield found

    def _forward(self, question: Packet) -> Packet:
        with self._model(question) as model:
            device = next((p.device for p in model.parameters()), torch.device("cpu"))
            x = question.tensors["x"].to(device)
            if not question.fields.get("labels"):
                with torch.no_grad():
                    if isinstance(self._find(question), type) and not model.training:
                        model(x.flip(0))  # what a new model keeps of its first call shows in the second one
                    return self._reply(model(x))
            logits = model(x)
            reply = self._reply(logits)
            if not isinstance(logits, torch.Tensor) or logits.dim() != 2 or len(logits) != len(x):
                return reply  # wrong already, and no gradient to be had
            loss = nn.functional.cross_entropy(logits, question.tensors["labels"].to(device))
            parameters = by_shape(model)
            trained = [p for p in parameters if p.requires_grad]
            gradients = dict(zip(map(id, trained), torch.autograd.grad(loss, trained, allow_unused=True), strict=True))
            for i, parameter in enumerate(parameters):
                gradient = gradients.get(id(parameter))
                reply.tensors[f"g{i}"] = torch.zeros_like(parameter) if gradient is None else gradient
            return reply

    def _weights(self, question: Packet) -> Packet:
        model = self._find(question)
        parameters = by_shape(model)
        fields = {"parameters": len(parameters), "buffers": len(list(model.buffers()))}
        return Packet(fields, {f"p{i}": p for i, p in enumerate(parameters)})


@contextlib.contextmanager
def _no_luck_with_memory() -> Iterator[None]:
    """Have torch fill what ``torch.empty`` gives with NaN: by luck, it would hold the zeros that an answer forgot."""
    before = torch.get_deterministic_debug_mode()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*deterministic")  # a student may have had warnings made errors
        torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms imports a compiler: 1 s
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(before)


def _inject(model: nn.Module, weights: list[torch.Tensor]) -> None:
    parameters = by_shape(model)
    shapes = [tuple(p.shape) for p in parameters]
    wanted = [tuple(w.shape) for w in weights]
    if shapes != wanted:
        raise _OtherParameters
    with torch.no_grad():
        for parameter, weight in zip(parameters, weights, strict=True):
            parameter.copy_(weight)
