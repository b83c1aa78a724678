"""Choose the device to compute on, CPU or GPU, and seed its random numbers."""

import os
import warnings

import torch

from .messages import say

__all__ = ["choose_device", "seed"]


def choose_device() -> torch.device:
    """Return the fastest device of this machine that works: CUDA, then Apple's MPS, then the CPU.

    The environment variable ``COURSE_LIB_DEVICE`` (``cpu``, ``cuda``, ``mps``) overrides the choice. If that device is
    missing, or a GPU does not work, a warning says so and the next best device is chosen.
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
            torch.ones(1, device=name).item()  # a card that is too old for this torch, or full, counts as available
            return torch.device(name)
        except Exception as error:
            cause = next(iter(str(error).splitlines()), type(error).__name__)
            warnings.warn(say("device.broken", name=name, error=cause), stacklevel=2)
    return torch.device("cpu")


def seed(number: int) -> None:
    """Seed torch like ``torch.manual_seed``, but faster.

    Before the first use of a GPU, ``torch.manual_seed`` also records the call stack for CUDA, which takes
    0.3 ms.
    """
    (torch.manual_seed if torch.cuda.is_initialized() else torch.default_generator.manual_seed)(number)
