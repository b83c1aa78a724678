"""Answers the judge's questions about the global variables of one notebook.

The questions, by their field ``ask``:

========== ===================================== =============================================================
ask        fields                                answer
========== ===================================== =============================================================
ping                                             ``{}``, see :mod:`course_lib.kernel.answering`
value      ``name``                              ``value``
call       ``name``, ``args``, ``keywords``      ``value``, the result of the function or model; with ``after`` also
           (values); ``after``: bool             ``args``, its arguments after the call
run        ``source`` and ``name`` of a probe;   ``value``, what the probe returns, see
           ``args``, ``keywords``; ``of_kit``:   :mod:`course_lib.kernel.probes`; ``seconds`` of computing
           whether it is one of the kit's own
cell       ``source`` of a classic grade cell;   ``value``, the number that its last line gives, or None, see
           ``seed`` of its random numbers        :mod:`course_lib.kernel.classic`
forward    ``name``, ``x``; ``weights``: number  ``value``, the outputs; with ``loss`` also its gradients, ``g0``.. .
           of tensors ``w0``.. to inject first;  A class is instantiated first, with the same initial weights each
           ``loss``: name of a loss in           time. An instance is left as it was.
           ``torch.nn.functional`` between the
           outputs and ``targets``; ``train``:
           bool
weights    ``name``                              ``parameters``, the number of the tensors ``p0``.., their ``names``,
                                                 and the number of ``buffers``
trainings                                        see :mod:`course_lib.kernel.training_reuse`
figures                                          see :mod:`course_lib.kernel.figures`
========== ===================================== =============================================================

Every answer has a ``status``: ``ok``, ``missing`` (the notebook has no such name), ``not_a_model``,
``parameter_mismatch`` (the injected weights do not fit the model), ``too_large`` (the answer), ``raised`` (with
``type`` and ``message`` of the exception, and the ``lines`` of the student's code that it went through) or
``probe_raised`` (likewise, with the ``line`` of the author's file).
"""

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any

import torch
from torch import nn

from ..checks import is_model_class
from ..device import seed
from . import figures, probes, training_reuse
from .answering import raised, seed_all
from .model_state import by_shape, copy_by_shape, left_as_it_was
from .probes import MissingName, ProbeError
from .wire import Packet, TooLarge, describe, describe_arguments, pack, restore, unpack


class _NoModel(Exception):
    """The name does not refer to a model."""


class _OtherParameters(Exception):
    """The injected weights do not fit the model."""


class Responder:
    """Answers the judge's questions.

    Args:
        namespace: the global variables of the notebook.
    """

    def __init__(self, namespace: MutableMapping[str, Any]) -> None:
        self.namespace = namespace
        self._answers: dict[str, Callable[[Packet], Packet]] = {
            "value": self._value,
            "call": self._call,
            "run": self._run,
            "forward": self._forward,
            "weights": self._weights,
            "trainings": lambda question: training_reuse.report(),
            "figures": lambda question: figures.report(),
        }

    def packed_answer(self, content: Any, buffers: Sequence[bytes | memoryview]) -> tuple[dict[str, Any], bytes]:
        """Answer a question in wire format: take and return the content and binary data of a message."""
        try:
            return pack(self.answer(unpack(content, buffers)))
        except TooLarge as error:
            return pack(Packet({"status": "too_large", "message": str(error)}))
        except Exception as error:  # a tensor that cannot be sent: sparse, or on the meta device
            return pack(raised(error))

    def answer(self, question: Packet) -> Packet:
        """Answer ``question``; if the student's code raises an exception, the answer reports it."""
        try:
            reply = self._answers[question.fields["ask"]](question)
            reply.fields["status"] = "ok"
            return reply
        except MissingName as error:
            return Packet({"status": "missing", "name": str(error)})
        except ProbeError as error:
            if question.fields.get("of_kit"):
                return raised(error.error)
            return raised(error.error, "probe_raised", line=error.line)
        except _NoModel:
            return Packet({"status": "not_a_model"})
        except _OtherParameters:
            return Packet({"status": "parameter_mismatch"})
        except TooLarge as error:
            return Packet({"status": "too_large", "message": str(error)})
        except BaseException as error:  # includes SystemExit and KeyboardInterrupt from the student's code
            return raised(error)

    def _find(self, question: Packet) -> Any:
        name = question.fields["name"]
        if name not in self.namespace:
            raise MissingName(name)
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
        arguments, keywords = _arguments(question)
        grad = torch.set_grad_enabled(not isinstance(function, nn.Module))  # a function may train something
        with grad, _uninitialized_memory_is_nan():
            reply = self._reply(function(*arguments, **keywords))
        if question.fields.get("after"):
            reply.fields["args"] = describe_arguments(arguments, reply.tensors)
        return reply

    def _run(self, question: Packet) -> Packet:
        probe = probes.load(question.fields["source"], question.fields["name"])
        arguments, keywords = _arguments(question)
        seed_all(0)
        with _uninitialized_memory_is_nan():
            began = time.process_time()
            result = probes.run(probe, self.namespace, arguments, keywords)
            seconds = time.process_time() - began
        reply = self._reply(result)
        reply.fields["seconds"] = seconds
        return reply

    @contextlib.contextmanager
    def _model(self, question: Packet) -> Iterator[nn.Module]:
        """Provide the model in question, with injected weights if there are any, and restore it after the block."""
        found = self._find(question)
        if isinstance(found, type):
            with torch.random.fork_rng(devices=[]):
                seed(0)
                found = found()
        if found is None:  # the initial value in the given cell: the student has not tried yet
            raise TypeError("NoneType is not a model")
        if not isinstance(found, nn.Module):
            raise _NoModel
        if any(isinstance(p, nn.UninitializedParameter) for p in found.parameters()):
            with torch.no_grad():  # lazy layers get their sizes from a first batch
                found(next(question.tensors[name] for name in ("x", "a0") if name in question.tensors))
        with left_as_it_was(found):
            injected = [question.tensors[f"w{i}"] for i in range(question.fields.get("weights", 0))]
            if injected and not copy_by_shape(found, injected):
                raise _OtherParameters
            found.train(bool(question.fields.get("train")))
            yield found

    def _forward(self, question: Packet) -> Packet:
        with self._model(question) as model:
            device = next((p.device for p in model.parameters()), torch.device("cpu"))
            x = question.tensors["x"].to(device)
            loss = question.fields.get("loss")
            if loss is None:
                with torch.no_grad():
                    if isinstance(self._find(question), type) and not model.training:
                        model(x.flip(0))  # state that a new model keeps from its first call affects the second one
                    return self._reply(model(x))
            outputs = model(x)
            reply = self._reply(outputs)
            targets = question.tensors["targets"].to(device)
            if not isinstance(outputs, torch.Tensor) or not _fit(outputs, targets):
                return reply  # already wrong, and no loss can be computed
            if targets.is_floating_point() and outputs.is_floating_point():
                targets = targets.to(outputs.dtype)  # a model may compute in float64
            gradients = _gradients(getattr(nn.functional, loss)(outputs, targets), by_shape(model))
            reply.tensors |= {f"g{i}": gradient for i, gradient in enumerate(gradients)}
            return reply

    def _weights(self, question: Packet) -> Packet:
        model = self._find(question)
        parameters = by_shape(model)
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        fields: dict[str, Any] = {"parameters": len(parameters), "buffers": len(list(model.buffers()))}
        fields["names"] = [names[id(parameter)] for parameter in parameters]
        return Packet(fields, {f"p{i}": p for i, p in enumerate(parameters)})


def _arguments(question: Packet) -> tuple[list[Any], dict[str, Any]]:
    """The positional and keyword arguments of a question."""
    fields, tensors = question.fields, question.tensors
    keywords = {name: restore(value, tensors, arrays=True) for name, value in fields["keywords"].items()}
    return [restore(value, tensors, arrays=True) for value in fields["args"]], keywords


def _fit(outputs: torch.Tensor, targets: torch.Tensor) -> bool:
    """Whether a loss can compare ``outputs`` with ``targets``: class labels (N,), or numbers in the outputs' shape."""
    if targets.is_floating_point():
        return outputs.shape == targets.shape
    return outputs.dim() == 2 and len(outputs) == len(targets)


def _gradients(loss: torch.Tensor, parameters: Sequence[nn.Parameter]) -> list[torch.Tensor]:
    """The gradients of ``loss``; zeros for a parameter that it does not depend on."""
    trained = [p for p in parameters if p.requires_grad]
    found = dict(zip(map(id, trained), torch.autograd.grad(loss, trained, allow_unused=True), strict=True))
    gradients = [found.get(id(p)) for p in parameters]
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, gradients, strict=True)]


@contextlib.contextmanager
def _uninitialized_memory_is_nan() -> Iterator[None]:
    """Fill memory from ``torch.empty`` with NaN: by chance it could hold the zeros that an answer forgot to write."""
    before = torch.get_deterministic_debug_mode()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*deterministic")  # the notebook may turn warnings into errors
        torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms(True) would import a compiler: 1 s
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(before)
