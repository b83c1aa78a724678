"""What surrounds the visible training loop: its history, its progress bar, a memory layout that suits the CPU.

The loop itself stays in the notebook, where students read it. :func:`training_loop` decorates it.
"""

import contextlib
import contextvars
import ctypes
import functools
import inspect
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from IPython.core.getipython import get_ipython
from torch import nn

from .checks import is_stub
from .messages import say

try:
    from tqdm import tqdm
except ImportError:  # students may lack it: they train without a bar
    tqdm = None

__all__ = [
    "ConvergenceHistory",
    "TrainingRun",
    "convergence_history_CrossEntropyLoss",
    "evaluate",
    "training_loop",
]

EVALUATION_BATCH = 10_000
"""Rows per evaluation batch: MNIST's whole test set at once, so that a model whose outputs depend on its batch
(the course's first one) gives in the history what it gives outside."""

CONVOLUTION_BATCH = 500
"""The same for a model with convolutions: what it computes on the way then stays in the processor's cache."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Settings of glibc's ``mallopt``."""

# asks torch for huge pages, before its first tensor: they are there three times as fast, and what is in them is found
# faster; Linux only
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

_torch_view, _torch_view_as, _torch_max_pool2d = torch.Tensor.view, torch.Tensor.view_as, nn.functional.max_pool2d
"""What :func:`_torch_replaced` replaces for a while."""

_loops = 0
"""Training loops that run and need it replaced."""
_replacing = threading.Lock()
_replaced = contextlib.ExitStack()

_after_update: contextvars.ContextVar[tuple[Callable[["ConvergenceHistory"], None], ...]] = contextvars.ContextVar(
    "after_update", default=()
)
"""What is called with a history after each of its updates, inside a training loop."""


def evaluate(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Cross entropy and accuracy of ``model`` on ``x``, without gradients, in batches, on the model's device.

    The model is in evaluation mode meanwhile and is given back in the mode it had.

    Args:
        model: maps (N, ...) to (N, classes), logits or log-probabilities.
        x: inputs, shape (N, ...), an array will do; int32 and int64 stay, another type becomes the parameters'.
        y: labels, int64, shape (N,).

    Returns:
        Mean loss in nats, and the fraction of right predictions, in [0, 1].
    """
    x, y = torch.as_tensor(x), torch.as_tensor(y)
    known = recall_evaluation(model, x, y) if recall_evaluation else None
    if known is not None:
        return known
    parameter = next(model.parameters(), torch.empty(0))
    was_training = model.training
    model.eval()
    loss = right = 0.0
    rows = CONVOLUTION_BATCH if _has_convolutions(model) else EVALUATION_BATCH
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
    """``x`` on the device and of the type of a model's parameter; int32 and int64, tokens for an embedding, stay."""
    x = x.to(parameter.device)
    return x if x.dtype in (torch.int32, torch.int64) else x.to(parameter.dtype)


def _has_convolutions(model: nn.Module) -> bool:
    return any(isinstance(module, nn.Conv2d) for module in model.modules())


class ConvergenceHistory:
    """Loss and accuracy on the training and test sets, one value per call of :meth:`update`.

    Attributes:
        history: four lists of floats, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``. Losses are mean cross
            entropies in nats, accuracies fractions in [0, 1]. Updated once before the training and once per epoch,
            the lists have EPOCHS + 1 entries.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
        self._generator = torch.Generator().manual_seed(0)  # its own, so that watching does not change the training

    def update(
        self, model: nn.Module, xtrain: torch.Tensor, ytrain: torch.Tensor, xtest: torch.Tensor, ytest: torch.Tensor
    ) -> None:
        """Append one value to each list.

        The figures of the training set come from a random sample with as many rows as the test set.
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


@dataclass
class TrainingRun:
    """One call of a training loop: what decides its outcome."""

    model: nn.Module
    loop: Callable[..., ConvergenceHistory]
    arguments: dict[str, Any]
    """Every other argument of the call, defaults included, by name."""
    description: Any = None
    """What :data:`recall` found out about it before it began, for :data:`keep`."""


recall: Callable[[TrainingRun], ConvergenceHistory | float | None] | None = None
"""Set by the grading kernel: looks for a finished training of a model that behaves the same. When there is one, it
loads the trained weights into the model and returns the history. Else it may return the test accuracy at which the
training may end. Students' kernels leave it None."""

recall_evaluation: Callable[[nn.Module, torch.Tensor, torch.Tensor], tuple[float, float] | None] | None = None
"""Set by the grading kernel: what :func:`evaluate` gave at the end of the training that :data:`recall` has loaded."""

keep: Callable[[TrainingRun, ConvergenceHistory, bool], None] | None = None
"""Set by the grading kernel: told of every training that ended, and whether it ended before its last epoch."""


class _Enough(Exception):
    """Ends a training: the model is as accurate as it must be."""

    def __init__(self, history: ConvergenceHistory) -> None:
        self.history = history


def _view(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """``view``, which accepts channels last: it would refuse where ``reshape`` copies."""
    if tensor.is_contiguous() or "dtype" in kwargs or any(isinstance(size, torch.dtype) for size in args):
        return _torch_view(tensor, *args, **kwargs)
    return tensor.reshape(*args, *kwargs.values())


def _view_as(tensor: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return _view(tensor, other.shape)


def _max_pool2d(input: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    """``max_pool2d`` whose gradients are channels last, not in the layout of the linear layer behind.

    Without gradients it takes a tenth of the time.
    """
    if not torch.is_grad_enabled() and _halves(input, *args, **kwargs):
        rows = torch.maximum(input[..., ::2, :], input[..., 1::2, :])
        return torch.maximum(rows[..., ::2], rows[..., 1::2])
    pooled = _torch_max_pool2d(input, *args, **kwargs)
    if isinstance(pooled, torch.Tensor) and pooled.dim() == 4 and pooled.requires_grad:
        # by its dimensions, since vmap knows no memory formats
        pooled.register_hook(lambda gradient: gradient.movedim(1, -1).contiguous().movedim(-1, 1))
    return pooled


def _halves(
    input: torch.Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> bool:
    """Whether these arguments of ``max_pool2d`` take the maximum of squares of 2 x 2 pixels, all of them whole."""
    even = input.dim() == 4 and all(size % 2 == 0 for size in input.shape[-2:])
    plain = padding in (0, (0, 0)) and dilation in (1, (1, 1)) and not ceil_mode and not return_indices
    return even and plain and kernel_size in (2, (2, 2)) and stride in (None, 2, (2, 2))


def keep_pages() -> None:
    """Have this process keep the pages of freed tensors: new ones cost more than what is computed in them.

    Up to half a gigabyte is kept. Only glibc (most of Linux) can be told so; elsewhere nothing changes.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        for setting in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            libc.mallopt(setting, 2**29)


@contextlib.contextmanager
def _torch_replaced() -> Iterator[None]:
    """Put the functions above in the place of torch's, until the last loop ends: threads may have one each.

    What the notebook has put there stays. A TorchFunctionMode would make every other call of the loop slower: to take a
    batch by an array of numpy's, three times.
    """
    global _loops
    with _replacing:
        _loops += 1
        if _loops == 1:
            for owner, torchs, name, fast in (
                (torch.Tensor, _torch_view, "view", _view),
                (torch.Tensor, _torch_view_as, "view_as", _view_as),
                (nn.functional, _torch_max_pool2d, "max_pool2d", _max_pool2d),
            ):
                if getattr(owner, name) is torchs:
                    _replaced.enter_context(patch.object(owner, name, fast))
    try:
        yield
    finally:
        with _replacing:
            _loops -= 1
            if _loops == 0:
                _replaced.close()


@contextlib.contextmanager
def _fast_layout(model: nn.Module) -> Iterator[None]:
    """Train convolutions with channels last: on a CPU they run 1.3 to 1.8 times as fast, to the same numbers."""
    if not _has_convolutions(model):
        yield
        return
    # torch types `memory_format` for tensors only, modules take it as well
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        with _torch_replaced():
            yield
    finally:
        model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


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


@contextlib.contextmanager
def _calling(call: Callable[[ConvergenceHistory], None]) -> Iterator[None]:
    """Have ``call`` called after each update of a history."""
    token = _after_update.set((*_after_update.get(), call))
    try:
        yield
    finally:
        _after_update.reset(token)


@contextlib.contextmanager
def _ending_at(accuracy: float) -> Iterator[None]:
    """End the training in the block once the accuracy on the test set is reached: raises :class:`_Enough`."""

    def look(history: ConvergenceHistory) -> None:
        if history.history["val_accuracy"][-1] >= accuracy:
            raise _Enough(history)

    with _calling(look):
        yield


def _forget_waiting_cells() -> None:
    """Have "stop" end "run all", too: cells tagged raises-exception would let the next training begin."""
    abort = getattr(getattr(get_ipython(), "kernel", None), "_abort_queues", None)  # ipykernel's; other kernels go on
    if abort is not None:
        abort()


def training_loop(fit: Callable[..., ConvergenceHistory]) -> Callable[..., ConvergenceHistory]:
    """Decorate a training loop ``fit(model, x_train, ..., EPOCHS=...)`` that returns a :class:`ConvergenceHistory`.

    The loop gets a progress bar with loss and accuracy, and convolutions a faster memory layout; what it computes
    stays the same. An unfinished model (its ``forward`` raises a bare ``NotImplementedError``) gives one line that says
    so and an empty history, not a traceback.
    """
    signature = inspect.signature(fit)

    @functools.wraps(fit)
    def wrapped(*args: Any, **kwargs: Any) -> ConvergenceHistory:
        call = signature.bind(*args, **kwargs)
        call.apply_defaults()
        (_, model), *others = call.arguments.items()
        name = type(model).__name__
        run = TrainingRun(model, fit, dict(others))
        found = recall(run) if recall else None
        if isinstance(found, ConvergenceHistory):
            print(say("training.reused", model=name))
            return found
        epochs = int(call.arguments.get("EPOCHS", 0))
        stopped = False
        keep_pages()
        try:
            with (
                _progress_bar(say("training.title", model=name), epochs),
                contextlib.nullcontext() if found is None else _ending_at(found),
                _fast_layout(model),
            ):
                history = fit(*args, **kwargs)
        except NotImplementedError as error:
            if not is_stub(error):
                raise
            print(say("training.to_do"))
            return ConvergenceHistory()
        except KeyboardInterrupt:
            if recall is None:
                _forget_waiting_cells()
            raise
        except _Enough as enough:
            history, stopped = enough.history, True
            print(say("training.stopped", accuracy=found))
        if keep:
            keep(run, history, stopped)
        return history

    return wrapped
