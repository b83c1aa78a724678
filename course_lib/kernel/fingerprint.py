"""What tells a value from others: the arguments of a training or of a figure, the weights of a model."""

import zlib
from collections.abc import MutableMapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

__all__ = ["WORDS", "fingerprint"]

SAMPLE = 10_000
"""Elements of a tensor that are looked at again each time: numpy can change a tensor without its knowing."""

WORDS = 511
"""Words in a row of :func:`_checksum`; odd, so that equal changes to all of them do not add up to none."""

BLOCK = 64
"""Rows that are summed at once, in both directions: the second time they come from the processor's cache."""

_fingerprints: MutableMapping[torch.Tensor, tuple[object, str]] = WeakIdKeyDictionary()
"""Of large tensors, with what tells whether they changed: the same data come with every training."""


def fingerprint(value: Any) -> str:
    """What tells a value from others: of tensors and arrays the type, the shape and a checksum of all elements.

    Raises:
        TypeError: for what nobody can tell from others, such as a data loader or what a class of the notebook makes, or
            that learns, such as a second model or an optimizer, which has parameters of any model.
    """
    if isinstance(value, torch.Tensor):
        flat = value.detach().reshape(-1)
        known = (value.data_ptr(), value._version, value.shape, _checksum(flat[:: 1 + flat.numel() // SAMPLE]))
        if known != _fingerprints.get(value, (None, ""))[0]:
            _fingerprints[value] = known, f"{tuple(value.shape)} {value.dtype} {_checksum(flat)}"
        return _fingerprints[value][1]
    if isinstance(value, np.ndarray):
        writable = value if value.flags.writeable else value.copy()  # of another, torch warns in the student's cell
        return f"{value.shape} {value.dtype} {_checksum(torch.as_tensor(writable))}"
    if isinstance(value, list | tuple | dict):  # repr would shorten tensors in them
        return f"{type(value)} {[fingerprint(part) for part in (value.items() if isinstance(value, dict) else value)]}"
    text = repr(value)
    if isinstance(value, nn.Module) and _is_loss(value):  # its repr leaves out what it weighs and how it reduces
        settings = [vars(part) | dict(part.named_buffers(recurse=False)) for part in value.modules()]
        public = [{name: v for name, v in part.items() if not name.startswith("_")} for part in settings]
        return f"{text} {fingerprint(public)}"
    ours = type(value).__module__ == "__main__" or "__main__." in text  # its repr may say nothing of its methods
    if " at 0x" in text or ours or isinstance(value, nn.Module | torch.optim.Optimizer):
        raise TypeError(text)
    return text


def _is_loss(module: nn.Module) -> bool:
    """Whether ``module`` is one of torch's without parameters."""
    own = any(not part.__module__.startswith("torch.") for part in module.modules())
    return not own and next(module.parameters(), None) is None


def _checksum(tensor: torch.Tensor) -> int:
    """CRC of the sums of rows and columns of a table of words: half the time of a CRC of all bytes."""
    data = torch.from_numpy(np.ascontiguousarray(tensor.cpu().numpy()).reshape(-1).view(np.uint8))
    whole = len(data) - len(data) % (8 * WORDS)
    rows = data[:whole].view(torch.int64).view(-1, WORDS)
    columns, sums = torch.zeros(WORDS, dtype=torch.int64), []
    for block in rows.split(BLOCK):
        columns += block.sum(0)
        sums.append(block.sum(1))
    checksum = 0
    for part in (columns, torch.cat(sums), data[whole:]):
        checksum = zlib.crc32(part.numpy().data, checksum)
    return checksum
