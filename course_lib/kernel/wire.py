"""How the judge and a student's kernel exchange values: JSON for small data, safetensors for numbers in bulk.

A packet is sent as a Jupyter message (``judge_request``, ``training_request`` and their replies): its fields are the
content of the message, its tensors are one binary buffer. There is no pickle, no ``eval`` and no type that the sender
chooses. Both ends use this module, and either end may lie: :func:`unpack` accepts any bytes and either returns a packet
or raises a :class:`WireError`.

A *value* is described in JSON. None, a bool, a string, a finite float and an int of up to 64 bits describe themselves.
Anything else is an object ``{"kind": ...}``, one of :data:`KINDS` or a table of :mod:`course_lib.kernel.wire_tables`.

torch is imported only for packets with tensors: a kernel that never imports it is smaller, and is forked faster.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..error_causes import MAX_TEXT
from . import wire_tables

if TYPE_CHECKING:
    import torch

MAX_BYTES = 64 * 2**20
"""Largest binary part of a packet, in bytes. MNIST's 10,000 test images in float32 take 31 MB."""

MAX_HEADER = 1_000_000
"""Largest header of the binary part, in bytes. The header names each tensor, so this limits their number."""

MAX_JSON = 16 * 2**20
"""Largest fields of a packet, in bytes of JSON. A list of 500,000 floats takes 10 million."""

MAX_DEPTH = 100
"""Largest nesting depth of containers in a value. The JSON encoder fails at several hundred levels."""

EQUAL_HASHES = 100
"""Largest number of items of a set, or keys of a dict, that may have the same hash."""

CONTAINERS: dict[str, type[Any]] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "dict": dict}

BYTES: dict[str, type[Any]] = {"bytes": bytes, "bytearray": bytearray}

KINDS = ("int", "float", "complex", "text", "range", "tensor", "array", "other", *CONTAINERS, *BYTES)
"""The kinds of described values."""

NUMERIC = "biufc"
"""The kinds of numpy's dtypes whose arrays are sent as tensors."""


class WireError(ValueError):
    """The message is not a valid packet, or does not describe a valid value."""


class TooLarge(WireError):
    """The packet is larger than the other end accepts."""


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
        TooLarge: if it is larger than the other end accepts.
    """
    check_size(packet)
    if not packet.tensors:
        return packet.fields, b""
    import torch
    from safetensors.torch import save

    with torch._C.DisableTorchFunctionSubclass():  # a subclass of Tensor must not decide what is sent
        dense = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in packet.tensors.items()}
    return packet.fields, save(dense)


def check_size(packet: Packet) -> None:
    """Check that the other end accepts ``packet``.

    Raises:
        TooLarge: if it does not.
    """
    if (size := sum(tensor.nbytes for tensor in packet.tensors.values())) > MAX_BYTES:
        raise TooLarge(f"{size / 2**20:.0f} MB of numbers; at most {MAX_BYTES >> 20} MB can be sent")
    if (size := len(encoded(packet.fields))) > MAX_JSON:
        raise TooLarge(f"{size / 2**20:.0f} MB of strings and lists; at most {MAX_JSON >> 20} MB can be sent")


def encoded(fields: Any) -> bytes:
    """The fields of a packet as JSON in UTF-8."""
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")


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
    if not (data := bytes(buffers[0])):
        return Packet(content)
    if int.from_bytes(data[:8], "little") > MAX_HEADER:  # safetensors data begin with the length of their header
        raise WireError("more tensors than allowed")
    from safetensors.torch import load

    try:
        return Packet(content, load(data))
    except Exception as error:  # safetensors raises several types on bad bytes
        raise WireError(f"tensors are unreadable: {error}") from error


def describe(value: object, key: str, tensors: dict[str, torch.Tensor], depth: int = 0) -> Any:
    """Describe ``value`` in JSON; put its tensors, arrays and bytes into ``tensors``.

    Args:
        value: any object. A subclass is sent as the plain type: a named tuple as a tuple, a Counter as a dict.
        key: the key of a tensor; those in a container get this key and a number.
        tensors: receives the tensors.
        depth: number of containers around ``value``.

    Raises:
        TooLarge: if a container is too large, whatever its items are.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**63 else {"kind": "int", "value": hex(value)}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"kind": "float", "value": repr(float(value))}
    if isinstance(value, complex):
        return {"kind": "complex", "value": [describe(part, "", {}) for part in (value.real, value.imag)]}
    if isinstance(value, str):
        try:
            str.encode(value)
            return str(value)
        except UnicodeEncodeError:  # half a surrogate pair is not valid in JSON
            tensors[key] = _from_bytes(str.encode(value, "utf-8", "surrogatepass"))
            return {"kind": "text", "key": key}
    if isinstance(value, bytes | bytearray):
        tensors[key] = _from_bytes(bytes(value))
        return {"kind": "bytearray" if isinstance(value, bytearray) else "bytes", "key": key}
    if isinstance(value, range):
        return {"kind": "range", "value": [describe(part, "", {}) for part in (value.start, value.stop, value.step)]}
    if "torch" in sys.modules and isinstance(value, sys.modules["torch"].Tensor):
        return _describe_tensor(value, key, tensors)
    if depth < MAX_DEPTH:

        def part(inner: object, name: object) -> Any:
            return describe(inner, f"{key}_{name}", tensors, depth + 1)

        for kind, container in CONTAINERS.items():
            if isinstance(value, container):
                if 2 * len(value) > MAX_JSON:  # each item takes two characters or more
                    limit = f"at most {MAX_JSON >> 20} MB of strings and lists can be sent"
                    raise TooLarge(f"{len(value)} items; {limit}")
                parts = value.items() if isinstance(value, dict) else value
                return {"kind": kind, "value": [part(inner, i) for i, inner in enumerate(parts)]}
        if isinstance(value, np.ndarray):
            return _describe_array(value, key, tensors, part)
        if (described := wire_tables.describe(value, part)) is not None:
            return described
    kind = value.type_name if isinstance(value, Other) else type(value).__name__
    return {"kind": "other", "type": kind[:MAX_TEXT]}


def _describe_tensor(tensor: torch.Tensor, key: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Describe a tensor; safetensors has no complex128, so complex numbers are sent as two real ones."""
    import torch

    if tensor.is_complex() is True:  # a subclass of Tensor may answer anything
        tensors[key] = torch.view_as_real(tensor.detach().resolve_conj())
        return {"kind": "tensor", "key": key, "complex": True}
    tensors[key] = tensor
    return {"kind": "tensor", "key": key}


def _describe_array(array: np.ndarray, key: str, tensors: dict[str, torch.Tensor], part: Callable[..., Any]) -> Any:
    """Describe an array: one of numbers or times as a tensor, one of strings or objects item by item."""
    import torch

    kind, dtype = array.dtype.kind, array.dtype.newbyteorder("=")
    if kind in NUMERIC:
        wide = 16 if kind == "c" else 8  # torch has no wider numbers
        dtype = dtype if dtype.itemsize <= wide else np.dtype(f"{kind}{wide}")
        # np.array copies: torch accepts neither negative strides nor a foreign byte order
        return _describe_tensor(torch.as_tensor(np.array(array, dtype)), key, tensors) | {"array": True}
    if kind in "mM":
        tensors[key] = torch.as_tensor(np.array(array, dtype).view(np.int64))
        return {"kind": "array", "dtype": dtype.name, "key": key}
    if kind in "USO":
        items = [part(item, i) for i, item in enumerate(array.ravel().tolist())]
        return {"kind": "array", "dtype": kind, "shape": list(array.shape), "value": items}
    return {"kind": "other", "type": type(array).__name__}


def _from_bytes(data: bytes) -> torch.Tensor:
    import torch

    return torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)


class Other:
    """A placeholder for a value that cannot be sent; only the name of its type is sent."""

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name


Value = Any
"""A value that was sent: a number, a string, bytes, a range, a tensor, an array of strings, times or objects, a pandas
table, an :class:`Other`, or a list, tuple, set or dict of such values."""


def describe_arguments(arguments: Sequence[object], tensors: dict[str, torch.Tensor]) -> list[Any]:
    """Describe the arguments of a function; put their tensors into ``tensors`` under the keys ``a0``, ``a1``, ..."""
    return [describe(argument, f"a{i}", tensors) for i, argument in enumerate(arguments)]


def others(description: Any) -> Iterator[str]:
    """The types of all parts of a described value that cannot be sent."""
    if isinstance(description, dict):
        if description.get("kind") == "other":
            yield str(description.get("type"))
        for part in description.values():
            yield from others(part)
    elif isinstance(description, list):
        for part in description:
            yield from others(part)


def restore(description: Any, tensors: Mapping[str, Any], arrays: bool = False) -> Value:
    """Return the value that ``description`` describes.

    Args:
        description: made by :func:`describe`.
        tensors: likewise.
        arrays: whether an array of numbers comes back as an array, and not as a tensor.

    Raises:
        WireError: if the description is not valid.
    """
    if description is None or isinstance(description, bool | int | float | str):
        return description
    if not isinstance(description, dict):
        raise WireError("the description of a value is not an object")
    kind = description.get("kind")
    try:
        return _restore(str(kind), description, tensors, arrays)
    except WireError:
        raise
    except Exception as error:  # from Python, numpy, torch or pandas; also for lack of memory
        raise WireError(f"a value of kind {kind!r} is unreadable") from error


def _restore(kind: str, description: dict[str, Any], tensors: Mapping[str, Any], arrays: bool) -> Value:
    if kind in ("tensor", "text", *BYTES) or (kind == "array" and "key" in description):
        tensor = tensors[description["key"]]
        if kind == "tensor":
            import torch

            tensor = torch.view_as_complex(tensor) if description.get("complex") else tensor
            return tensor.numpy() if arrays and description.get("array") else tensor
        if kind == "array":
            if not re.fullmatch(r"(datetime|timedelta)64(\[\w+\])?", description["dtype"]):
                raise WireError("an array of an unknown type")
            return tensor.numpy().view(np.dtype(description["dtype"]))
        data = tensor.numpy().tobytes()
        return data.decode("utf-8", "surrogatepass") if kind == "text" else BYTES[kind](data)
    if kind == "other":
        return Other(str(description.get("type"))[:MAX_TEXT])
    if kind not in KINDS:
        return wire_tables.restore(kind, description, lambda part: restore(part, tensors, arrays))
    value = description["value"]
    if kind == "int" and isinstance(value, str):
        return int(value, 16)
    if kind == "float" and isinstance(value, str):
        return float(value)
    if not isinstance(value, list):
        raise WireError(f"a value of kind {kind!r} is unreadable")
    parts = [restore(part, tensors, arrays) for part in value]
    if kind in CONTAINERS:
        if kind in ("set", "frozenset", "dict"):
            _check_hashes([key for key, _ in parts] if kind == "dict" else parts)
        return CONTAINERS[kind](parts)
    if kind == "complex":
        real, imaginary = map(float, parts)
        return complex(real, imaginary)
    if kind == "range":
        return range(*parts)
    if description["dtype"] == "O":
        array = np.empty(len(parts), object)
        array[:] = parts
    else:
        array = np.array(parts, {"U": np.str_, "S": np.bytes_}[description["dtype"]])
    return array.reshape(description["shape"])


def _check_hashes(keys: Sequence[Any]) -> None:
    """Refuse too many keys with equal hashes: building a set or dict of them takes hours.

    Raises:
        WireError: if there are too many.
    """
    if max(Counter(map(hash, keys)).values(), default=0) > EQUAL_HASHES:
        raise WireError("keys with equal hashes")
