"""Choose where tensors live, CPU or GPU, and seed what is random there."""

import os
import warnings

import torch

from .messages import say

__all__ = ["choose_device", "seed"]


def choose_device() -> torch.device:
    """The fastest device of this machine that computes: CUDA, then Apple's MPS, then the CPU.

    ``COURSE_LIB_DEVICE`` (``cpu``, ``cuda``, ``mps``) overrides the choice; when that device is missing, or a card does
    not compute, a warning says so and the computation goes on with what there is.
    """
    available = [
        name
        for name, there in (
            ("cuda", torch.cuda.is_available()),
            ("mps", torch.backends.mps.is_available()),
            ("cpu", True),
        )
        if there
    ]
    wanted = os.environ.get("COURSE_LIB_DEVICE")
    if wanted and wanted.split(":")[0] in available:
        return torch.device(wanted)
    if wanted:
        message = say("device.unknown", name=wanted, available=", ".join(available), device=available[0])
        warnings.warn(message, stacklevel=2)
    for name in available[:-1]:
        try:
            torch.ones(1, device=name).item()  # a card too old for this torch, or full, is available all the same
            return torch.device(name)
        except Exception as error:
            cause = next(iter(str(error).splitlines()), type(error).__name__)
            warnings.warn(say("device.broken", name=name, error=cause), stacklevel=2)
    return torch.device("cpu")


def seed(number: int) -> None:
    """``torch.manual_seed``, which before the first use of a card would note the stack of each call: 0.3 ms."""
    (torch.manual_seed if torch.cuda.is_initialized() else torch.default_generator.manual_seed)(number)
