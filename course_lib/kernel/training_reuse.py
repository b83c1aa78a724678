"""Reuse a finished training run instead of training again, when a model behaves the same.

While grading, a training loop first describes to the judge what it is about to train: a *recipe* and a *behaviour
fingerprint*. The recipe is a hash of everything that decides the outcome of training except the model's behaviour: the
source of the loop and of the library around it, its arguments including the data, and the shapes of the parameters. The
fingerprint describes the behaviour: see :mod:`course_lib.kernel.model_behaviour`.

If the judge knows a training run with this recipe and this fingerprint, it answers with the trained weights. Sending
them reveals nothing: only the same model can produce that fingerprint. Nor does the judge trust them: it measures the
trained model in any case. If it knows no such run, the judge may answer with the accuracy at which training can end.
"""

import contextlib
import hashlib
import inspect
import json
import random
from collections.abc import Callable, Iterator
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
from .model_behaviour import behaviour_of, first_rows, has_plausible_initial_weights, inputs_of, parts_of
from .model_state import by_shape, copied_state, left_as_it_was, load_state, shapes_of, state_of
from .wire import Packet

EVALUATION_ROWS = 8
"""Rows that show whether a model still computes what it did when its evaluation was stored."""

_kept: list[tuple[dict[str, Any], dict[str, torch.Tensor]]] = []
"""The training runs that ended in this kernel and have not been reported yet."""

_evaluated: dict[int, tuple[str, tuple[float, float]]] = {}
"""Maps the id of a model that reuses a training run to :func:`_evaluation`, and its final loss and accuracy."""

_trained: WeakSet[nn.Module] = WeakSet()
"""The models that were trained in this kernel."""

_ends: dict[str, str] = {}
"""Maps the final weights of each training run in this kernel to its recipe."""

_ask_judge: Callable[[Packet], Packet]
"""Set by :func:`activate`. Nothing here is called before that."""


def activate(ask_judge: Callable[[Packet], Packet]) -> None:
    """Make ``course_lib.training_loop`` ask for finished training runs, and keep those that end here."""
    global _ask_judge
    _ask_judge = ask_judge
    hooks.recall_training = recall
    hooks.recall_evaluation = recall_evaluation
    hooks.keep_training = keep


def recipe(run: TrainingRun, before: str = "") -> str:
    """Hash of everything that decides the outcome of ``run`` except the model's behaviour.

    Globals that the loop uses are ignored: ``@training_loop`` promises that the loop depends on its arguments only.
    :func:`broken_promise` checks the promise on the instructor's notebook.

    Args:
        run: the training run.
        before: the recipe of the training run that this one continues; empty if the model's weights are new.

    Raises:
        TypeError: for an argument that has no fingerprint, such as a data loader or a second model.
    """
    parts = [torch.__version__, before, *(inspect.getsource(one) for one in (training, fast_cpu, run.loop))]
    parts += [f"{name}={fingerprint(value)}" for name, value in sorted(run.arguments.items())]
    parts += map(str, shapes_of(run.model))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def broken_promise(run: TrainingRun) -> str:
    """Why ``run`` must not be reused: its first epoch, trained twice from the same start, ends differently.

    Returns:
        One sentence for the instructor; empty if both runs end with the same weights and history.
    """
    arguments = run.arguments | ({"EPOCHS": 1} if "EPOCHS" in run.arguments else {})
    ends = []
    for _ in range(2):
        with left_as_it_was(run.model), _random_state_kept(), _gradients_kept(run.model):
            history = run.loop(run.model, **arguments)
            written = torch.tensor([value for values in history.history.values() for value in values])
            ends.append([*copied_state(run.model), written])
    first, second = ends
    if len(first) == len(second) and all(
        a.shape == b.shape and torch.allclose(a, b, rtol=1e-2, atol=1e-3) for a, b in zip(first, second, strict=True)
    ):
        return ""
    return f"{run.loop.__name__} depends on more than its arguments: two runs from the same start end differently"


@contextlib.contextmanager
def _random_state_kept() -> Iterator[None]:
    """Restore the random states of Python, numpy and torch after the block."""
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
    """The recipe of the training run that gave ``model`` its weights; empty if it was not trained in this kernel.

    Raises:
        TypeError: if it was trained here and has changed since, for example by pruning.
    """
    weights = _weights(model)
    if weights not in _ends and model in _trained:
        raise TypeError("it has changed since it was trained")
    return _ends.get(weights, "")


def _ended(run: TrainingRun) -> None:
    """Remember that ``run`` ended with its model's present weights: another training run may continue from them."""
    _trained.add(run.model)
    _ends[_weights(run.model)] = run.description.fields["recipe"]


def _weights(model: nn.Module) -> str:
    return " ".join(map(fingerprint, state_of(model)))


def recall(run: TrainingRun) -> ConvergenceHistory | float | None:
    """Load the weights of a finished training run of a model that behaves the same.

    Returns:
        The history; or, if no run is known, the accuracy at which training may stop, or None.
    """
    try:
        if not has_plausible_initial_weights(run.model):
            return None
        behaviour = {f"behaviour{i}": value for i, value in enumerate(behaviour_of(run))}
        before = _before(run.model)
        run.description = Packet({"recipe": recipe(run, before), "before": before}, behaviour)
        answer = _ask_judge(run.description)
        if answer.fields.get("try_promise"):  # the instructor's notebook trains for others
            run.description.fields["broken_promise"] = broken_promise(run)
    except Exception:
        return None  # training itself will say what is wrong with the model
    if not answer.tensors:
        enough = answer.fields.get("enough")
        return enough if isinstance(enough, float) else None
    with torch.no_grad(), torch.random.fork_rng():  # so that first-batch effects have happened, as after training
        run.model(*first_rows(run)[:1])
    load_state(run.model, [answer.tensors[f"weight{i}"] for i in range(len(state_of(run.model)))])
    for i, parameter in enumerate(by_shape(run.model)):
        gradient = answer.tensors.get(f"gradient{i}")
        parameter.grad = None if gradient is None else gradient.to(parameter)
    _ended(run)
    inputs = inputs_of(run)
    run.model.to(inputs[0].device)  # as the loop does
    if run.model.training is not answer.fields["training"]:
        run.model.train(answer.fields["training"])
    history = ConvergenceHistory()
    history.history = json.loads(answer.fields["history"])
    losses, accuracies = history.history.get("val_loss"), history.history.get("val_accuracy")
    if len(inputs) >= 4 and losses and accuracies:  # a loop may record other values
        with contextlib.suppress(Exception):
            _evaluated[id(run.model)] = (_evaluation(run.model, *inputs[2:4]), (losses[-1], accuracies[-1]))
    return history


def _evaluation(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> str:
    """What decides the outcome of an evaluation of ``model``: its layers or attributes may have changed since."""
    parameter = next(model.parameters())
    rows = training.as_inputs(x[:EVALUATION_ROWS].clone(), parameter)  # forward may write to them
    with left_as_it_was(model), torch.random.fork_rng(), torch.no_grad():
        model.eval()
        seed(0)
        outputs = [output for _, output in parts_of(model(rows))]
    return " ".join(fingerprint(value) for value in (*state_of(model), x, y, *outputs))


def recall_evaluation(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float] | None:
    """Final loss and accuracy of the training run that ``model`` reuses, if weights and data are the same."""
    evaluation, values = _evaluated.get(id(model), ("", (0.0, 0.0)))
    with contextlib.suppress(Exception):  # the evaluation itself will say what is wrong with the model
        if evaluation and evaluation == _evaluation(model, x, y):
            return values
    return None


def keep(run: TrainingRun, history: ConvergenceHistory, stopped: bool) -> None:
    """Remember a training run that ended in this kernel, for :func:`report`; tell the judge if it ended early."""
    _trained.add(run.model)
    with contextlib.suppress(Exception):  # a model that cannot be described is not reused, but may be right
        if stopped:
            _ask_judge(Packet({"stopped": True}))
        frozen = any(not parameter.requires_grad for parameter in run.model.parameters())
        if frozen or recipe(run, run.description.fields["before"]) != run.description.fields["recipe"]:
            return  # the loop has changed more than the weights, such as its data or a list in the notebook
        _ended(run)
        state = state_of(run.model)
        about = {"history": history.history, "stopped": stopped, "device": state[0].device.type}
        about["training"] = run.model.training
        tensors = {f"weight{i}": value for i, value in enumerate(state)}
        tensors |= {f"gradient{i}": p.grad for i, p in enumerate(by_shape(run.model)) if p.grad is not None}
        tensors = {name: value.detach().to("cpu", copy=True) for name, value in tensors.items()}
        _kept.append((run.description.fields | about, run.description.tensors | tensors))


def report() -> Packet:
    """The training runs since the last report: field ``trainings``, tensors ``<n>/weight<i>`` and so on."""
    packet = Packet({"trainings": [fields for fields, _ in _kept]})
    for n, (_, tensors) in enumerate(_kept):
        packet.tensors |= {f"{n}/{name}": tensor for name, tensor in tensors.items()}
    _kept.clear()
    return packet
