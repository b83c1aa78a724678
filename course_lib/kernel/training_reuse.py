"""Take over a finished training instead of training again, when a model behaves the same.

While grading, a training loop first describes to the judge what it is about to train: a *recipe* and a *probe*. The
recipe is a hash of all that decides a training except the model's behaviour: the loop's source and what surrounds it,
its arguments, data included, and the shapes of the parameters. The probe tells the behaviour: with the same weights
injected, on the same batch, a loss and its gradients, what the buffers then hold, a loss in evaluation mode. For the
cross entropy, logits and log-probabilities agree there, as they do in the training; another activation, axis or dropout
does not.

When the judge knows a training with that recipe and that probe, it answers with its weights. They are no secret to
whoever can answer the probe: that takes the model itself. And no trust is needed: whatever weights a model ends up
with, the judge measures them. Otherwise the judge may say at which accuracy the training can end.
"""

import contextlib
import copy
import hashlib
import inspect
import json
import random
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
from torch import nn

from .. import fast_cpu, training
from ..device import seed
from ..grading_hooks import hooks
from ..training import ConvergenceHistory, TrainingRun
from .fingerprint import fingerprint
from .wire import Packet

__all__ = ["activate", "by_shape", "left_as_it_was", "report"]

PROBE_ROWS = 32

EVALUATION_ROWS = 8
"""Rows that tell whether a model is still what it was when its evaluation was known."""

_kept: list[tuple[dict[str, Any], dict[str, torch.Tensor]]] = []
"""The trainings that ended in this kernel and were not reported yet."""

_evaluated: dict[int, tuple[str, tuple[float, float]]] = {}
"""By the id of a model that took over a finished training: :func:`_evaluation`, and what it gave at the end."""

_trained: WeakSet[nn.Module] = WeakSet()
"""The models that were trained in this kernel."""

_ends: dict[str, str] = {}
"""By the weights at the end of a training in this kernel: its recipe."""

_ask_judge: Callable[[Packet], Packet]
"""Set by :func:`activate`, without which nothing here is called."""


def activate(ask_judge: Callable[[Packet], Packet]) -> None:
    """Make ``course_lib.training_loop`` ask for finished trainings, and keep those that end here."""
    global _ask_judge
    _ask_judge = ask_judge
    hooks.recall_training = recall
    hooks.recall_evaluation = recall_evaluation
    hooks.keep_training = keep


def by_shape(model: nn.Module) -> list[nn.Parameter]:
    """The parameters of ``model`` in an order that does not depend on their names: by shape, ties as declared."""
    return sorted(model.parameters(), key=lambda p: tuple(p.shape))


def _state(model: nn.Module) -> list[torch.Tensor]:
    """All that a training changes: the parameters, then the buffers, such as batch statistics."""
    return [*by_shape(model), *model.buffers()]


def _copied_state(model: nn.Module) -> list[torch.Tensor]:
    return [tensor.detach().clone() for tensor in _state(model)]


def _load(model: nn.Module, state: Iterable[torch.Tensor]) -> None:
    """Give the parameters and buffers of ``model`` the values in ``state``."""
    with torch.no_grad():
        for tensor, value in zip(_state(model), state, strict=True):
            tensor.copy_(value)


@contextlib.contextmanager
def left_as_it_was(model: nn.Module) -> Iterator[None]:
    """Undo, after the block, what it does to the parameters, the buffers, the modes and the attributes of ``model``.

    This is no copy of the model: what a forward keeps in it, such as a tensor with its graph, may not be copied.
    """
    attributes, state = _Attributes(model), _copied_state(model)
    try:
        yield
    finally:
        attributes.restore()
        _load(model, state)


class _Attributes:
    """What the modules of a model consist of now, and what is in its tensors that are no parameters and no buffers."""

    def __init__(self, model: nn.Module) -> None:
        self._names = [(vars(module), dict(vars(module))) for module in model.modules()]
        values = [value for _, names in self._names for value in names.values()]
        # not others that have these methods: they may do anything
        self._containers = [(v, copy.copy(v)) for v in values if type(v) in (list, dict, set, OrderedDict)]
        self._tensors = [(v, v.detach().clone()) for v in values if isinstance(v, torch.Tensor)]

    def restore(self) -> None:
        """Undo what a forward has counted or kept, and the buffers and layers that it has replaced or made."""
        for now, before in (*self._names, *self._containers):
            now.clear()
            (now.extend if isinstance(now, list) else now.update)(before)
        with torch.no_grad():
            for tensor, value in self._tensors:
                if not torch.equal(tensor, value):
                    tensor.copy_(value)


def recipe(run: TrainingRun, before: str = "") -> str:
    """Hash of what decides the outcome of ``run``, apart from how the model behaves.

    What the loop uses of its notebook is not looked at: ``@training_loop`` promises that it depends on its arguments
    only. :func:`broken_promise` tries that on the instructor's own notebook.

    Args:
        run: the training.
        before: the recipe of the training that this one continues; empty if the model's weights are new.

    Raises:
        TypeError: for an argument that has no fingerprint, such as a data loader or a second model.
    """
    parts = [torch.__version__, before, *(inspect.getsource(one) for one in (training, fast_cpu, run.loop))]
    parts += [f"{name}={fingerprint(value)}" for name, value in sorted(run.arguments.items())]
    parts += map(str, _shapes(run.model))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def broken_promise(run: TrainingRun) -> str:
    """Why ``run`` must not stand for other trainings: its first epoch, trained twice from one start, ends differently.

    Returns:
        One sentence for the instructor; empty if both runs end with the same weights and history.
    """
    arguments = run.arguments | ({"EPOCHS": 1} if "EPOCHS" in run.arguments else {})
    ends = []
    for _ in range(2):
        with left_as_it_was(run.model), _random_state_kept(), _gradients_kept(run.model):
            history = run.loop(run.model, **arguments)
            written = torch.tensor([value for values in history.history.values() for value in values])
            ends.append([*_copied_state(run.model), written])
    first, second = ends
    if len(first) == len(second) and all(
        a.shape == b.shape and torch.allclose(a, b, rtol=1e-2, atol=1e-3) for a, b in zip(first, second, strict=True)
    ):
        return ""
    return f"{run.loop.__name__} depends on more than its arguments: two trainings from the same start end differently"


@contextlib.contextmanager
def _random_state_kept() -> Iterator[None]:
    """Restore the random numbers of Python, numpy and torch after the block."""
    python, arrays = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        yield
    random.setstate(python)
    np.random.set_state(arrays)


@contextlib.contextmanager
def _gradients_kept(model: nn.Module) -> Iterator[None]:
    """Restore the gradients of ``model`` after the block."""
    kept = [(p, None if p.grad is None else p.grad.clone()) for p in model.parameters()]
    yield
    for parameter, gradient in kept:
        parameter.grad = gradient


def _before(model: nn.Module) -> str:
    """The recipe of the training whose weights ``model`` has; empty if it was not trained in this kernel.

    Raises:
        TypeError: if it was, and has changed since, by a pruning for example.
    """
    weights = _weights(model)
    if weights not in _ends and model in _trained:
        raise TypeError("it has changed since it was trained")
    return _ends.get(weights, "")


def _ended(run: TrainingRun) -> None:
    """Remember that ``run`` has ended with the weights that its model has now: another training may go on from them."""
    _trained.add(run.model)
    _ends[_weights(run.model)] = run.description.fields["recipe"]


def _weights(model: nn.Module) -> str:
    return " ".join(map(fingerprint, _state(model)))


def _own_names(model: nn.Module) -> set[str]:
    """The attributes of a model that none of torch's classes gives it: its layers and its own methods."""
    torchs = {name for kind in type(model).__mro__ if kind.__module__.startswith("torch.") for name in dir(kind)}
    return set(dir(model)) - torchs - set(dir(nn.Module()))


def _inputs(run: TrainingRun) -> list[torch.Tensor]:
    """The data of a training: images and labels to learn from, and perhaps those to test with."""
    return [value for value in run.arguments.values() if isinstance(value, torch.Tensor)]


def probe(run: TrainingRun) -> list[torch.Tensor]:
    """Loss and gradients on a small batch, with weights drawn from a fixed seed; then buffers, and an evaluation loss.

    The loss is the cross entropy where the loop has it, so that logits and log-probabilities agree there; where the
    loop has another, which may tell them apart, it is one that tells all outputs apart. The model is left as it was.

    Raises:
        TypeError: for a model whose forward counts, makes parameters or buffers, or keeps elsewhere what an evaluation
            needs: that would not come with the weights.
    """
    parameters = by_shape(run.model)
    generator = torch.Generator().manual_seed(0)
    crossed = re.search(r"\b(CrossEntropyLoss|cross_entropy)\b", inspect.getsource(run.loop)) is not None
    modes = sorted({module.training for module in run.model.modules()})  # the loop may leave them as they are
    with left_as_it_was(run.model), torch.random.fork_rng():
        with torch.no_grad():
            for p in parameters:
                if p.dim() > 1:
                    p.copy_(torch.randn(p.shape, generator=generator) * (2 / p.shape[1:].numel()) ** 0.5)
                elif not bool((p == 1).all()):  # the gain of a normalization stays: nothing behind a gain of 0 shows
                    p.zero_()
        attributes, shapes = _Attributes(run.model), _shapes(run.model)
        run.model.train()
        loss, places = _loss(run, crossed)
        found = [loss.detach(), *torch.autograd.grad(loss, parameters)]
        counts = _numbers(run.model)
        with torch.no_grad():
            _loss(run, crossed)
        if _numbers(run.model) != counts:
            raise TypeError("it counts its calls")
        state = _copied_state(run.model)
        found += state[len(parameters) :]
        with torch.no_grad():
            run.model.eval()
            evaluated, _ = _loss(run, crossed)
            attributes.restore()
            if _shapes(run.model) != shapes or len(state) != len(shapes):
                raise TypeError("its forward makes parameters or buffers")
            _load(run.model, state)
            run.model.eval()
            again, _ = _loss(run, crossed)
        if not torch.allclose(evaluated, again):
            raise TypeError("it keeps what an evaluation needs")
    found += [evaluated, torch.tensor(modes)]
    if places:  # how the loop takes the outputs apart
        found.append(torch.tensor(list(hashlib.sha256(repr(places).encode()).digest())))
    return found


def _loss(run: TrainingRun, crossed: bool) -> tuple[torch.Tensor, list[str]]:
    """A loss of the model on a small batch, and its outputs' places and shapes; dropout is part of the behaviour.

    The cross entropy says the shape by itself; another loss may broadcast outputs (N,) where it gets (N, 1).
    """
    rows, *labels = _batch(run)
    seed(0)
    output = run.model(rows)
    parts = dict(_parts(output))
    places = sorted(parts)
    if crossed and isinstance(output, torch.Tensor) and output.dim() == 2 and labels and labels[0].dim() == 1:
        return nn.functional.cross_entropy(output, labels[0]), []
    outputs = torch.cat([parts[place].flatten() for place in places])
    loss = (outputs + torch.arange(len(outputs), device=outputs.device).cos()).square().mean()
    return loss, [f"{place}{tuple(parts[place].shape)}" for place in places]


def _batch(run: TrainingRun) -> list[torch.Tensor]:
    """A copy of the first rows of what a training learns from: a forward may write in it."""
    device = next(run.model.parameters()).device
    return [value[:PROBE_ROWS].to(device, copy=True) for value in _inputs(run)[:2]]


def _shapes(model: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape) for tensor in _state(model)]


def _numbers(model: nn.Module) -> list[tuple[str, float]]:
    """What the modules of a model may count in: at a large count they may do something else."""
    return [item for module in model.modules() for item in vars(module).items() if type(item[1]) in (int, float)]


def _parts(output: Any, place: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of a model's output, by their place: it may be a tuple, a list or a dict of them."""
    if isinstance(output, torch.Tensor):
        yield place, output
    else:
        for key, part in output.items() if isinstance(output, dict) else enumerate(output):
            yield from _parts(part, f"{place}[{key!r}]")


def _usual(model: nn.Module) -> bool:
    """Whether a model can be expected to learn from its initial values, which the probe does not see.

    The deviations of torch's own initializations, of Glorot's and of He's are 0.4 to 1.5 by this measure, around 0.
    """
    tables = {m.weight.data_ptr() for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)}
    for parameter in map(torch.Tensor.detach, model.parameters()):
        deviation = parameter.std().item() if parameter.numel() > 1 else 1.0
        # few different values may all be on one side by chance
        aside = abs(parameter.mean().item()) > deviation and (parameter.numel() >= 16 or deviation == 0)
        if parameter.dim() > 1:
            summed = 1 if parameter.data_ptr() in tables else parameter[0].numel()  # a row of a table is looked up
            table = parameter.flatten(1)  # equal units stay equal, and equal weights of a unit see nothing but a sum
            equal = any(len(rows) > 1 and bool((rows == rows[0]).all()) for rows in (table, table.T))
            blind = summed > 1 and not bool(table.any(dim=1).all())  # a unit that sees nothing may never begin to
            if aside or equal or blind or not 0.1 <= deviation * summed**0.5 <= 3:
                return False
        else:
            furthest = parameter.abs().max().item()  # a far bias shuts the units behind it, or drowns what they get
            gain = bool((parameter == 1).all())
            if not gain and (furthest > 1 or (aside and furthest > 0.2)):
                return False
    return True


def recall(run: TrainingRun) -> ConvergenceHistory | float | None:
    """Load the weights of a finished training of a model that behaves the same, and return its history.

    When there is none: the accuracy at which the training may end, or None.
    """
    try:
        if not _usual(run.model):
            return None
        behaviour = {f"probe{i}": value for i, value in enumerate(probe(run))}
        before = _before(run.model)
        run.description = Packet({"recipe": recipe(run, before), "before": before}, behaviour)
        answer = _ask_judge(run.description)
        if answer.fields.get("try_promise"):  # the instructor's notebook trains for others
            run.description.fields["broken_promise"] = broken_promise(run)
    except Exception:
        return None  # the training itself will say what is wrong with the model
    if not answer.tensors:
        enough = answer.fields.get("enough")
        return enough if isinstance(enough, float) else None
    with torch.no_grad(), torch.random.fork_rng():  # what it does at its first batch is done, as after a training
        run.model(*_batch(run)[:1])
    _load(run.model, [answer.tensors[f"weight{i}"] for i in range(len(_state(run.model)))])
    for i, parameter in enumerate(by_shape(run.model)):
        gradient = answer.tensors.get(f"gradient{i}")
        parameter.grad = None if gradient is None else gradient.to(parameter)
    _ended(run)
    inputs = _inputs(run)
    run.model.to(inputs[0].device)  # as the loop does
    if run.model.training is not answer.fields["training"]:
        run.model.train(answer.fields["training"])
    history = ConvergenceHistory()
    history.history = json.loads(answer.fields["history"])
    losses, accuracies = history.history.get("val_loss"), history.history.get("val_accuracy")
    if len(inputs) >= 4 and losses and accuracies:  # a loop may write down other things
        with contextlib.suppress(Exception):
            _evaluated[id(run.model)] = (_evaluation(run.model, *inputs[2:4]), (losses[-1], accuracies[-1]))
    return history


def _evaluation(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> str:
    """What decides the outcome of an evaluation of ``model``: its layers or attributes may be others meanwhile."""
    parameter = next(model.parameters())
    rows = training.as_inputs(x[:EVALUATION_ROWS].clone(), parameter)  # a forward may write in them
    with left_as_it_was(model), torch.random.fork_rng(), torch.no_grad():
        model.eval()
        seed(0)
        outputs = [output for _, output in _parts(model(rows))]
    return " ".join(fingerprint(value) for value in (*_state(model), x, y, *outputs))


def recall_evaluation(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float] | None:
    """Loss and accuracy at the end of the training that ``model`` has taken over, for the same weights and data."""
    evaluation, values = _evaluated.get(id(model), ("", (0.0, 0.0)))
    with contextlib.suppress(Exception):  # the evaluation itself will say what is wrong with the model
        if evaluation and evaluation == _evaluation(model, x, y):
            return values
    return None


def keep(run: TrainingRun, history: ConvergenceHistory, stopped: bool) -> None:
    """Remember a training that ended in this kernel, for :func:`report`; tell the judge when it ended early."""
    _trained.add(run.model)
    with contextlib.suppress(Exception):  # a model that cannot be described is not for others, but may be right
        if stopped:
            _ask_judge(Packet({"stopped": True}))
        frozen = any(not parameter.requires_grad for parameter in run.model.parameters())
        if frozen or recipe(run, run.description.fields["before"]) != run.description.fields["recipe"]:
            return  # the loop has changed more than the weights, such as its data or a list of the notebook
        _ended(run)
        state = _state(run.model)
        about = {"history": history.history, "stopped": stopped, "device": state[0].device.type}
        about["training"] = run.model.training
        tensors = {f"weight{i}": value for i, value in enumerate(state)}
        tensors |= {f"gradient{i}": p.grad for i, p in enumerate(by_shape(run.model)) if p.grad is not None}
        tensors = {name: value.detach().to("cpu", copy=True) for name, value in tensors.items()}
        _kept.append((run.description.fields | about, run.description.tensors | tensors))


def report() -> Packet:
    """The trainings that ended here since the last report: ``trainings``, and tensors ``<n>/weight<i>`` and so on."""
    packet = Packet({"trainings": [fields for fields, _ in _kept]})
    for n, (_, tensors) in enumerate(_kept):
        packet.tensors |= {f"{n}/{name}": tensor for name, tensor in tensors.items()}
    _kept.clear()
    return packet
