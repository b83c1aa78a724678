"""Tools for a training loop: a history, an evaluation, a progress bar.

The loop itself stays in the notebook, where students read it; :func:`training_loop` decorates it.
"""

import contextlib
import contextvars
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from IPython.core.getipython import get_ipython
from torch import nn

from . import fast_cpu
from .cards import is_stub
from .grading_hooks import hooks
from .messages import say

try:
    from tqdm import tqdm
except ImportError:  # students can train without it: there is no progress bar then
    tqdm = None

__all__ = [
    "ConvergenceHistory",
    "TrainingRun",
    "convergence_history_CrossEntropyLoss",
    "evaluate",
    "load",
    "save",
    "training_loop",
]

EVALUATION_BATCH = 10_000
"""Inputs per batch of an evaluation. MNIST's test set fits into one batch: the course's first model normalizes over the
batch, so its results depend on the batch size."""

CONVOLUTION_BATCH = 500
"""The same for models with convolutions. Intermediate results of this size fit into the processor's cache."""


class ConvergenceHistory:
    """Loss and accuracy on the training set and the test set, one value per call of :meth:`update`.

    Attributes:
        history: four lists of floats, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``. Losses are mean cross
            entropies in nats, accuracies are fractions in [0, 1]. A loop that updates the history before training and
            after each epoch fills them with EPOCHS + 1 values.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
        self._generator = torch.Generator().manual_seed(0)  # separate from torch's, which the training uses

    def update(
        self, model: nn.Module, xtrain: torch.Tensor, ytrain: torch.Tensor, xtest: torch.Tensor, ytest: torch.Tensor
    ) -> None:
        """Evaluate ``model`` and append one value to each list.

        The training set is represented by a random sample of the size of the test set.
        """
        rows = torch.randperm(len(xtrain), generator=self._generator)[: len(xtest)]
        xtrain, ytrain = torch.as_tensor(xtrain), torch.as_tensor(ytrain)
        loss, accuracy = evaluate(model, xtrain[rows.to(xtrain.device)], ytrain[rows.to(ytrain.device)])
        val_loss, val_accuracy = evaluate(model, xtest, ytest)
        for name, value in zip(self.history, (loss, accuracy, val_loss, val_accuracy), strict=True):
            self.history[name].append(value)
        for call in _after_update.get():
            call(self)


convergence_history_CrossEntropyLoss = ConvergenceHistory
"""The name that the course notebook uses."""


def evaluate(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Compute the cross entropy and the accuracy of ``model`` on ``x``.

    The model computes without gradients, in batches, in evaluation mode and on its own device. Afterwards, its previous
    mode is restored.

    Args:
        model: maps (N, ...) to (N, classes), logits or log-probabilities.
        x: inputs, a tensor or an array of shape (N, ...). Converted to the dtype of the model's parameters, except
            int32 and int64.
        y: labels, integers of shape (N,).

    Returns:
        The mean loss in nats, and the fraction of correct predictions, in [0, 1].
    """
    x, y = torch.as_tensor(x), torch.as_tensor(y)
    recalled = hooks.recall_evaluation(model, x, y) if hooks.recall_evaluation else None
    if recalled is not None:
        return recalled
    parameter = next(model.parameters(), torch.empty(0))
    was_training = model.training
    model.eval()
    loss = right = 0.0
    rows = CONVOLUTION_BATCH if fast_cpu.has_convolutions(model) else EVALUATION_BATCH
    try:
        with torch.no_grad():
            for start in range(0, len(x), rows):
                batch = as_inputs(x[start : start + rows], parameter)
                labels = y[start : start + rows].to(parameter.device).long()
                logits = model(batch)
                loss += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
                right += (logits.argmax(dim=1) == labels).sum().item()
    finally:
        model.train(was_training)
    return loss / len(x), right / len(x)


def as_inputs(x: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """Move ``x`` to the device of a model's parameter and convert it to its dtype.

    int32 and int64 are not converted: they are tokens for an embedding.
    """
    x = x.to(parameter.device)
    return x if x.dtype in (torch.int32, torch.int64) else x.to(parameter.dtype)


@dataclass
class TrainingRun:
    """One call of a training loop, with everything that decides its outcome."""

    model: nn.Module
    loop: Callable[..., ConvergenceHistory]
    arguments: dict[str, Any]
    """Every other argument of the call by name, including defaults."""
    description: Any = None
    """For the grading hooks: the description of the run that ``recall_training`` made, for ``keep_training``."""


def training_loop(fit: Callable[..., ConvergenceHistory]) -> Callable[..., ConvergenceHistory]:
    """Decorate a training loop ``fit(model, x_train, ..., EPOCHS=...)`` that returns a :class:`ConvergenceHistory`.

    The loop gets a progress bar with loss and accuracy, and runs faster on a CPU (:mod:`course_lib.fast_cpu`), with the
    same results. If the student interrupts it, the model keeps its weights, and the history so far is returned. If the
    model is not finished yet (its ``forward`` raises a bare ``NotImplementedError``), the loop
    prints one line that says so and returns an empty history.
    """
    signature = inspect.signature(fit)

    @functools.wraps(fit)
    def wrapped(*args: Any, **kwargs: Any) -> ConvergenceHistory:
        call = signature.bind(*args, **kwargs)
        call.apply_defaults()
        (_, model), *others = call.arguments.items()
        name = type(model).__name__
        run = TrainingRun(model, fit, dict(others))
        recalled = hooks.recall_training(run) if hooks.recall_training else None
        if isinstance(recalled, ConvergenceHistory):
            print(say("training.reused", model=name))
            return recalled
        enough, stopped_early = recalled, False
        epochs = int(call.arguments.get("EPOCHS", 0))
        updated: list[ConvergenceHistory] = []
        try:
            with (
                _calling(updated.append),
                _progress_bar(say("training.title", model=name), epochs),
                _ending_at(enough),
                fast_cpu.training(model),
            ):
                history = fit(*args, **kwargs)
        except NotImplementedError as error:
            if not is_stub(error):
                raise
            print(say("training.to_do"))
            return ConvergenceHistory()
        except KeyboardInterrupt:
            if hooks.recall_training is not None:
                raise
            _cancel_waiting_cells()
            history = updated[-1] if updated else ConvergenceHistory()
            done = max(0, len(history.history["loss"]) - 1)  # the first update comes before the first epoch
            print(say("training.interrupted", done=done, epochs=epochs))
            return history
        except _AccurateEnough as end:
            history, stopped_early = end.history, True
            print(say("training.stopped", accuracy=enough))
        if hooks.keep_training:
            hooks.keep_training(run, history, stopped_early)
        return history

    return wrapped


def save(model: nn.Module, path: str | Path) -> None:
    """Write the weights of a model to a file.

    Args:
        model: the model.
        path: the file, such as ``"dnn.pt"``; an existing one is replaced.
    """
    torch.save(model.state_dict(), path)


def load(model: nn.Module, path: str | Path) -> None:
    """Load into ``model`` the weights that :func:`save` wrote. The architecture must be the same.

    Args:
        model: gets the weights; it stays on its device.
        path: the file.

    Raises:
        RuntimeError: if the file has weights of another architecture; torch's message names them.
    """
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))


def _cancel_waiting_cells() -> None:
    """Make "stop" also end "Run All Cells": the next cell may train another model.

    Jupyter does this itself, except for cells tagged ``raises-exception``, such as the training cells.
    """
    abort = getattr(getattr(get_ipython(), "kernel", None), "_abort_queues", None)  # only ipykernel has it
    if abort is not None:
        abort()


# -- what happens after each update of a history ----------------------------------------------------------------------

_after_update: contextvars.ContextVar[tuple[Callable[[ConvergenceHistory], None], ...]] = contextvars.ContextVar(
    "after_update", default=()
)
"""Functions that are called with a history after each of its updates, inside a training loop."""


@contextlib.contextmanager
def _calling(call: Callable[[ConvergenceHistory], None]) -> Iterator[None]:
    """Call ``call`` after each update of a history in the block."""
    token = _after_update.set((*_after_update.get(), call))
    try:
        yield
    finally:
        _after_update.reset(token)


@contextlib.contextmanager
def _progress_bar(title: str, epochs: int) -> Iterator[None]:
    if tqdm is None:
        yield
        return
    with tqdm(total=epochs, desc=title, unit="epoch", file=sys.stdout, delay=0.5) as bar:

        def show(history: ConvergenceHistory) -> None:
            values = history.history
            bar.set_postfix(loss=f"{values['val_loss'][-1]:.4f}", accuracy=f"{values['val_accuracy'][-1]:.4f}")
            bar.update(min(len(values["loss"]) - 1, 1))  # the first update comes before the first epoch

        with _calling(show):
            yield


class _AccurateEnough(Exception):
    """Ends training when the model has reached the accuracy that grading asks for."""

    def __init__(self, history: ConvergenceHistory) -> None:
        self.history = history


@contextlib.contextmanager
def _ending_at(accuracy: float | None) -> Iterator[None]:
    """Raise :class:`_AccurateEnough` in the block as soon as the model reaches this accuracy on the test set."""
    if accuracy is None:
        yield
        return

    def end_if_reached(history: ConvergenceHistory) -> None:
        if history.history["val_accuracy"][-1] >= accuracy:
            raise _AccurateEnough(history)

    with _calling(end_if_reached):
        yield
