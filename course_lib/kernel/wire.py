"""How the judge and a student's kernel exchange values: JSON for scalars, safetensors for tensors, nothing else.

A packet travels as a Jupyter message (``judge_request``, ``training_request`` and their replies): its fields are the
content of the message, its tensors are one binary buffer. There is no pickle, no ``eval`` and no type that the sender
chooses. Both ends use this module, and either end may lie: :func:`unpack` accepts any bytes and either returns a packet
or raises a :class:`WireError`.

A *value* is described by ``{"kind": ...}``: ``tensor`` (with the key of its data among the tensors), ``bool``, ``int``,
``float``, ``str``, ``none``, ``list``, ``tuple``, ``dict``, or ``other`` with the name of its type.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

from ..error_hints import MAX_TEXT

MAX_BYTES = 64 * 2**20
"""Largest binary part of a packet, in bytes. MNIST's 10,000 test images in float32 take 31 MB."""

MAX_HEADER = 1_000_000
"""Largest header of the binary part, in bytes. The header names each tensor, so this limits their number."""

MAX_ITEMS = 1000
"""Most items in a value: all lists, tuples and dicts in it and their elements. A list in a list counts twice."""

MAX_DEPTH = 100
"""Most containers inside each other in a value. JSON cannot be encoded from many hundreds."""

CONTAINERS: dict[str, type[Any]] = {"list": list, "tuple": tuple, "dict": dict}


class WireError(ValueError):
    """The message is not a valid packet, or does not describe a valid value."""


@dataclass
class Packet:
    """One message between judge and kernel."""

    fields: dict[str, Any] = field(default_factory=dict)
    """JSON values."""
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    """Dense tensors, any dtype and shape."""


def pack(packet: Packet) -> tuple[dict[str, Any], bytes]:
    """Convert ``packet`` to the content and the binary buffer of a message.

    Raises:
        WireError: if it is larger than the other end accepts.
    """
    if sum(tensor.nbytes for tensor in packet.tensors.values()) > MAX_BYTES:
        raise WireError("more binary data than allowed")
    with torch._C.DisableTorchFunctionSubclass():  # a subclass of Tensor must not decide what is sent
        dense = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in packet.tensors.items()}
    return packet.fields, save(dense) if dense else b""


def unpack(content: Any, buffers: Sequence[bytes | memoryview]) -> Packet:
    """Read a message's content and buffers.

    Raises:
        WireError: if they do not have the format of :func:`pack`, or are too large.
    """
    if not isinstance(content, dict):
        raise WireError("content is not an object")
    if not buffers:
        return Packet(content)
    if len(buffers) > 1 or len(buffers[0]) > MAX_BYTES:
        raise WireError("more binary data than allowed")
    data = bytes(buffers[0])
    if int.from_bytes(data[:8], "little") > MAX_HEADER:  # safetensors data begin with the length of their header
        raise WireError("more tensors than allowed")
    try:
        return Packet(content, load(data) if data else {})
    except Exception as error:  # safetensors raises several types on bad bytes
        raise WireError(f"tensors are unreadable: {error}") from error


def describe(
    value: object, key: str, tensors: dict[str, torch.Tensor], items: Iterator[int] | None = None, depth: int = 0
) -> dict[str, Any]:
    """Describe ``value`` in JSON; put its tensors and numeric arrays into ``tensors``.

    Args:
        value: any object.
        key: the key of a tensor; those in a list, tuple or dict get this key and a number.
        tensors: receives the tensors.
        items: counts the items; None for the outermost value.
        depth: number of containers around ``value``.
    """
    items = items or iter(range(MAX_ITEMS))
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        # np.array copies: torch accepts neither negative strides nor a foreign byte order
        value = torch.as_tensor(np.array(value, value.dtype.newbyteorder("="))) if value.ndim else value.item()
    if isinstance(value, torch.Tensor):
        tensors[key] = value
        return {"kind": "tensor", "key": key}
    if isinstance(value, list | tuple | dict) and depth < MAX_DEPTH and next(items, None) is not None:
        # a defaultdict or a Counter is sent as a dict, a named tuple as a tuple
        container = next(kind for kind, type_ in CONTAINERS.items() if isinstance(value, type_))
        inner = value.items() if isinstance(value, dict) else value
        numbered = zip(inner, items, strict=False)
        parts = [describe(part, f"{key}_{i}", tensors, items, depth + 1) for part, i in numbered]
        if len(parts) == len(value):
            return {"kind": container, "value": parts}
    if value is None:
        return {"kind": "none"}
    for kind, types in (("bool", bool), ("int", int), ("float", float), ("str", str)):
        if isinstance(value, types):
            plain = value[:MAX_TEXT] if isinstance(value, str) else value
            if kind == "float":
                plain = float.hex(float(value))  # JSON has no NaN or infinity
            elif kind == "int":
                plain = str(int(value))[:MAX_TEXT]
            return {"kind": kind, "value": plain}
    return {"kind": "other", "type": type(value).__name__[:MAX_TEXT]}


class Other:
    """Stands for a value that cannot be sent; only the name of its type is."""

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name


Value = bool | int | float | str | torch.Tensor | Other | list[Any] | tuple[Any, ...] | dict[Any, Any] | None
"""The types of values that can be sent; lists, tuples and dicts contain such values."""


def describe_arguments(arguments: Sequence[object], tensors: dict[str, torch.Tensor]) -> list[dict[str, Any]]:
    """Describe the arguments of a function; put their tensors into ``tensors`` under the keys ``a0``, ``a1``, ..."""
    return [describe(argument, f"a{i}", tensors) for i, argument in enumerate(arguments)]


def restore(description: Any, tensors: dict[str, torch.Tensor], items: Iterator[int] | None = None) -> Value:
    """Return the value that ``description`` describes; the other arguments are those of :func:`describe`.

    Raises:
        WireError: if the description is not valid.
    """
    if not isinstance(description, dict):
        raise WireError("the description of a value is not an object")
    kind, value = description.get("kind"), description.get("value")
    items = items or iter(range(MAX_ITEMS))
    try:
        if kind == "tensor":
            return tensors[str(description["key"])]
        if kind == "none":
            return None
        if kind in CONTAINERS and isinstance(value, list) and next(items, None) is not None:
            parts = [restore(part, tensors, items) for part, _ in zip(value, items, strict=False)]
            if len(parts) == len(value):
                return CONTAINERS[kind](parts)  # type: ignore[no-any-return]
        if kind == "bool" and isinstance(value, bool):
            return value
        if kind == "int" and isinstance(value, str):
            return int(value)
        if kind == "float" and isinstance(value, str):
            return float.fromhex(value)
        if kind == "str" and isinstance(value, str):
            return value
        if kind == "other":
            return Other(str(description.get("type"))[:MAX_TEXT])
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise WireError(f"a value of kind {kind!r} is unreadable") from error
    raise WireError(f"unknown kind of value {kind!r}")
