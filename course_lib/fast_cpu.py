"""Make PyTorch train faster on a CPU. The computations stay the same, up to rounding.

:func:`training` switches on these optimizations while a model is trained:

1. **Channels last.** Convolutions run 1.3 to 1.8 times as fast if the channels of a pixel are next to each other in
   memory.
2. **Replaced functions.** Three functions of torch do not work well with channels last. ``view`` and ``view_as`` raise
   an error where ``reshape`` makes a copy. ``max_pool2d`` passes on its gradients in the layout of the linear layer
   after it, and the convolution before it has to convert them. During training, torch uses the versions below instead.
   Without gradients, our ``max_pool2d`` also takes a tenth of the time of torch's for squares of 2 x 2 pixels.
3. **Kept memory.** The process keeps the memory of freed tensors for the next ones. Getting new memory from the system
   would take longer than computing in it. See :func:`keep_pages`.
4. **Huge pages.** Importing this module makes torch use pages of 2 MiB for large tensors (Linux only). The system
   provides them three times as fast as small ones.

CPU time on one core for the model CNN2 of the assignment mnist1, with each optimization switched off in turn:

=============== =========================== ==========================
switched off    training step of 512 images evaluation, 10,000 images
=============== =========================== ==========================
nothing         58 ms                       0.47 s
channels last   68 ms                       0.60 s
``max_pool2d``  67 ms                       0.63 s
kept memory     75 ms                       0.48 s
huge pages      70 ms                       0.46 s
everything      106 ms                      0.67 s
=============== =========================== ==========================

A model without convolutions only uses the last two optimizations, and hardly benefits from them.

To turn everything off, set the environment variable ``COURSE_LIB_FAST_CPU=0`` before Python starts. Plain torch then
shows, for example, whether a problem is due to this module.
"""

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

__all__ = ["has_convolutions", "is_enabled", "keep_pages", "training"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of two settings of ``mallopt``, from glibc's ``malloc.h``."""

KEPT_BYTES = 2**29
"""The process keeps up to this much freed memory."""


def is_enabled() -> bool:
    """Whether the optimizations are on: they are, unless ``COURSE_LIB_FAST_CPU`` is ``0``."""
    return os.environ.get("COURSE_LIB_FAST_CPU") != "0"


if is_enabled():
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch reads it once, when it allocates its first tensor


@contextlib.contextmanager
def training(model: nn.Module) -> Iterator[None]:
    """Train ``model`` fast in the block. Afterwards, its parameters have torch's usual layout again."""
    if not is_enabled():
        yield
        return
    keep_pages()
    if not has_convolutions(model):
        yield
        return
    # torch declares `memory_format` for tensors only, but modules accept it, too
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        with _replaced_functions():
            yield
    finally:
        model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def has_convolutions(model: nn.Module) -> bool:
    """Whether a two-dimensional convolution is among the layers of ``model``."""
    return any(isinstance(module, nn.Conv2d) for module in model.modules())


def keep_pages() -> None:
    """Let this process keep the memory of freed tensors, up to :data:`KEPT_BYTES`, instead of returning it.

    This works with glibc, the C library of most Linux systems. With any other, this function does nothing.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        for setting in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            libc.mallopt(setting, KEPT_BYTES)


# -- replaced functions -----------------------------------------------------------------------------------------------

_torch_view, _torch_view_as, _torch_max_pool2d = torch.Tensor.view, torch.Tensor.view_as, nn.functional.max_pool2d


def _view(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """``tensor.view(...)``, which copies a tensor that is not contiguous instead of raising an error."""
    is_other_dtype = "dtype" in kwargs or any(isinstance(argument, torch.dtype) for argument in args)
    if tensor.is_contiguous() or is_other_dtype:
        return _torch_view(tensor, *args, **kwargs)
    return tensor.reshape(*args, *kwargs.values())


def _view_as(tensor: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return _view(tensor, other.shape)


def _max_pool2d(input: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    """``max_pool2d`` with gradients that are channels last; without gradients, faster for squares of 2 x 2 pixels."""
    if not torch.is_grad_enabled() and _pools_2x2(input, *args, **kwargs):
        rows = torch.maximum(input[..., ::2, :], input[..., 1::2, :])
        return torch.maximum(rows[..., ::2], rows[..., 1::2])
    pooled = _torch_max_pool2d(input, *args, **kwargs)
    if isinstance(pooled, torch.Tensor) and pooled.dim() == 4 and pooled.requires_grad:
        # not `contiguous(memory_format=torch.channels_last)`, which vmap does not support
        pooled.register_hook(lambda gradient: gradient.movedim(1, -1).contiguous().movedim(-1, 1))
    return pooled


def _pools_2x2(
    input: torch.Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> bool:
    """Whether these arguments of ``max_pool2d`` split images of even height and width into squares of 2 x 2 pixels."""
    is_even = input.dim() == 4 and all(size % 2 == 0 for size in input.shape[-2:])
    is_plain = padding in (0, (0, 0)) and dilation in (1, (1, 1)) and not ceil_mode and not return_indices
    return is_even and is_plain and kernel_size in (2, (2, 2)) and stride in (None, 2, (2, 2))


_REPLACEMENTS = (
    (torch.Tensor, "view", _torch_view, _view),
    (torch.Tensor, "view_as", _torch_view_as, _view_as),
    (nn.functional, "max_pool2d", _torch_max_pool2d, _max_pool2d),
)
"""Owner and name of a function, torch's version, and the one that replaces it."""

_lock = threading.Lock()
_running = 0
"""Number of training runs that need the replaced functions. A notebook may train several models in threads."""
_undo = contextlib.ExitStack()
"""Restores torch's functions."""


@contextlib.contextmanager
def _replaced_functions() -> Iterator[None]:
    """Replace torch's functions until the last training run of this process ends, except those the notebook replaced.

    A ``TorchFunctionMode`` would leave torch's functions alone, but it makes every other call slower: indexing a tensor
    with a numpy array, as the training loop does for each batch, takes three times as long.
    """
    global _running
    with _lock:
        _running += 1
        if _running == 1:
            for owner, name, original, replacement in _REPLACEMENTS:
                if getattr(owner, name) is original:
                    _undo.enter_context(patch.object(owner, name, replacement))
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if _running == 0:
                _undo.close()
