"""How the judge and a student's kernel exchange values: JSON for scalars, safetensors for tensors, nothing else.

A packet travels as a Jupyter message (``judge_request``, ``training_request`` and their replies): its fields are the
message's content, its tensors one binary buffer. No pickle, no ``eval``, no type chosen by the sender. Both ends use
this module, and either end may be lying: :func:`unpack` takes any bytes and gives a packet or a :class:`WireError`.

A *value* is described by ``{"kind": ...}``: ``tensor`` (its data under a key of the tensors), ``bool``, ``int``,
``float``, ``str``, ``none``, ``list``, ``tuple``, ``dict``, or ``other`` with the name of its type.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

from ..error_hints import MAX_TEXT

__all__ = [
    "MAX_BYTES", "MAX_ITEMS", "Other", "Packet", "Value", "WireError", "describe", "describe_arguments", "pack",
    "restore", "unpack",
]  # fmt: skip

MAX_BYTES = 64 * 2**20
"""Largest binary part of a packet. MNIST's 10,000 test images in float32 are 31 MB."""

MAX_HEADER = 1_000_000
"""Largest header of the binary part, in bytes: it names each tensor, so this bounds their number."""

MAX_ITEMS = 1000
"""Lists, tuples and dicts in a value, and what is in them, all together; one within another counts twice."""

CONTAINERS: dict[str, type[Any]] = {"list": list, "tuple": tuple, "dict": dict}


class WireError(ValueError):
    """What arrived is not a packet, or not a value of the kinds above."""


@dataclass
class Packet:
    """One message between judge and kernel."""

    fields: dict[str, Any] = field(default_factory=dict)
    """JSON values."""
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    """Dense tensors, any dtype and shape."""


def pack(packet: Packet) -> tuple[dict[str, Any], bytes]:
    """The content and the binary buffer of the message that carries ``packet``.

    Raises:
        WireError: if it would be larger than the other end takes.
    """
    if sum(tensor.nbytes for tensor in packet.tensors.values()) > MAX_BYTES:
        raise WireError("more binary data than allowed")
    with torch._C.DisableTorchFunctionSubclass():  # a subclass that a student may have returned has no say here
        dense = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in packet.tensors.items()}
    return packet.fields, save(dense) if dense else b""


def unpack(content: Any, buffers: Sequence[bytes | memoryview]) -> Packet:
    """Read a message's content and buffers.

    Raises:
        WireError: if they are not what :func:`pack` makes, or too large.
    """
    if not isinstance(content, dict):
        raise WireError("content is not an object")
    if not buffers:
        return Packet(content)
    if len(buffers) > 1 or len(buffers[0]) > MAX_BYTES:
        raise WireError("more binary data than allowed")
    data = bytes(buffers[0])
    if int.from_bytes(data[:8], "little") > MAX_HEADER:  # safetensors begins with its header's length
        raise WireError("more tensors than allowed")
    try:
        return Packet(content, load(data) if data else {})
    except Exception as error:  # safetensors raises several types on bad bytes
        raise WireError(f"tensors are unreadable: {error}") from error


def describe(
    value: object, key: str, tensors: dict[str, torch.Tensor], items: Iterator[int] | None = None
) -> dict[str, Any]:
    """The description of ``value``; a tensor or numeric array is put into ``tensors`` under ``key``.

    Args:
        value: anything.
        key: the tensors in a list, tuple or dict get this and a number.
        tensors: gets the tensors.
        items: counts what is in lists, tuples and dicts; none for the outermost value.
    """
    items = items or iter(range(MAX_ITEMS))
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        # mirrored ones, and those in the byte order of a file, too
        value = torch.as_tensor(np.array(value, value.dtype.newbyteorder("="))) if value.ndim else value.item()
    if isinstance(value, torch.Tensor):
        tensors[key] = value
        return {"kind": "tensor", "key": key}
    if isinstance(value, list | tuple | dict) and next(items, None) is not None:
        # a defaultdict, a Counter or a named tuple is as right as the dict or the tuple that it is
        container = next(kind for kind, type_ in CONTAINERS.items() if isinstance(value, type_))
        inner = value.items() if isinstance(value, dict) else value
        with contextlib.suppress(RecursionError):  # a list in itself
            parts = [describe(part, f"{key}_{i}", tensors, items) for part, i in zip(inner, items, strict=False)]
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
    """A value of a type that does not travel; only the name of its type does."""

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name


Value = bool | int | float | str | torch.Tensor | Other | list[Any] | tuple[Any, ...] | dict[Any, Any] | None
"""What travels: in lists, tuples and dicts, too."""


def describe_arguments(arguments: Sequence[object], tensors: dict[str, torch.Tensor]) -> list[dict[str, Any]]:
    """The descriptions of a function's arguments; ``tensors`` gets theirs under the keys ``a0``, ``a1``, ..."""
    return [describe(argument, f"a{i}", tensors) for i, argument in enumerate(arguments)]


def restore(description: Any, tensors: dict[str, torch.Tensor], items: Iterator[int] | None = None) -> Value:
    """The value that ``description`` stands for; the rest as for :func:`describe`.

    Raises:
        WireError: if there is none.
    """
    if not isinstance(description, dict):
        raise WireError("a value is not described")
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
