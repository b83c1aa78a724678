"""Identifies a value by its content: the arguments of a training run or of a figure, the weights of a model."""

from collections.abc import MutableMapping
from typing import Any

import numpy as np
import torch
import xxhash
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

SAMPLE = 10_000
"""Number of elements of a tensor that are hashed at each call.

numpy can change a tensor without changing its version.
"""

_known: MutableMapping[torch.Tensor, tuple[object, str]] = WeakIdKeyDictionary()
"""Fingerprints of tensors, each with a state that shows changes. Every training run gets the same large data."""


def fingerprint(value: Any) -> str:
    """A string that is the same for equal values only. Tensors and arrays are described by type, shape and hash.

    Raises:
        TypeError: if two values of this type cannot be compared: a data loader, an object of a class that the notebook
            defines. Also for a model or an optimizer, whose parameters training changes.
    """
    if isinstance(value, torch.Tensor):
        flat = value.detach().reshape(-1)
        state = (value.data_ptr(), value._version, value.shape, _hash(flat[:: 1 + flat.numel() // SAMPLE]))
        if state != _known.get(value, (None, ""))[0]:
            _known[value] = state, f"{tuple(value.shape)} {value.dtype} {_hash(flat)}"
        return _known[value][1]
    if isinstance(value, np.ndarray):
        return f"{value.shape} {value.dtype} {_hash(value)}"
    if isinstance(value, list | tuple | dict):  # repr would shorten tensors in them
        parts = value.items() if isinstance(value, dict) else value
        return f"{type(value)} {[fingerprint(part) for part in parts]}"
    text = repr(value)
    if isinstance(value, nn.Module) and _is_loss(value):  # its repr shows neither class weights nor the reduction
        settings = [vars(part) | dict(part.named_buffers(recurse=False)) for part in value.modules()]
        public = [{name: v for name, v in part.items() if not name.startswith("_")} for part in settings]
        return f"{text} {fingerprint(public)}"
    from_notebook = type(value).__module__ == "__main__" or "__main__." in text  # repr may not show its methods
    if " at 0x" in text or from_notebook or isinstance(value, nn.Module | torch.optim.Optimizer):
        raise TypeError(text)
    return text


def _is_loss(module: nn.Module) -> bool:
    """Whether ``module`` is one of torch's modules without parameters."""
    only_torch = all(part.__module__.startswith("torch.") for part in module.modules())
    return only_torch and next(module.parameters(), None) is None


def _hash(data: torch.Tensor | np.ndarray) -> str:
    array = data.cpu().numpy() if isinstance(data, torch.Tensor) else data
    if array.dtype.kind == "O":
        raise TypeError("an array of objects")
    return xxhash.xxh3_128_hexdigest(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
