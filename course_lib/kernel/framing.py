"""How packets go through a snapshot's socket: two sizes, JSON, binary data."""

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from .wire import MAX_BYTES, MAX_JSON, Packet, WireError, encoded, pack

_SIZES = struct.Struct("<QQ")
"""Before each packet: the sizes of its JSON and of its binary part, in bytes."""


def encode(packet: Packet) -> bytes:
    """A packet as it goes through a snapshot's socket.

    Raises:
        TooLarge: if it is larger than the other end accepts.
    """
    return frame(*pack(packet))


def frame(content: dict[str, Any], data: bytes) -> bytes:
    """A packed packet as it goes through the socket."""
    text = encoded(content)
    return b"".join([_SIZES.pack(len(text), len(data)), text, data])


def decode(receive: Callable[[int], bytes]) -> tuple[Any, list[bytes]] | None:
    """Content and buffers of the next packet; None at the end of the connection.

    Args:
        receive: gives exactly so many bytes, or none at the end.

    Raises:
        WireError: if it is no packet, or too large.
    """
    head = receive(_SIZES.size)
    if not head:
        return None
    text_size, data_size = _SIZES.unpack(head)
    if text_size > 2 * MAX_JSON or data_size > MAX_BYTES + 2**20:
        raise WireError("more data than allowed")
    try:
        content = json.loads(receive(text_size))
    except Exception as error:  # also for lack of memory
        raise WireError(f"unreadable JSON: {error}") from error
    return content, [receive(data_size)]


def receive_from(connection: socket.socket) -> Callable[[int], bytes]:
    """The function for :func:`decode` that reads from a connection."""

    def receive(size: int) -> bytes:
        parts = []
        while size:
            part = connection.recv(min(size, 2**20))
            if not part:
                return b""
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    return receive
