"""The format of packets on a snapshot's socket: two sizes, JSON, binary data."""

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from .wire import MAX_BYTES, MAX_JSON, Packet, WireError, encoded, pack

_SIZES = struct.Struct("<QQ")
"""Before each packet: the sizes of its JSON and of its binary part, in bytes."""


def encode(packet: Packet) -> bytes:
    """A packet in the format of a snapshot's socket.

    Raises:
        TooLarge: if it is larger than the other end accepts.
    """
    return frame(*pack(packet))


def frame(content: dict[str, Any], data: bytes) -> bytes:
    """A packed packet in the format of the socket."""
    text = encoded(content)
    return b"".join([_SIZES.pack(len(text), len(data)), text, data])


def decode(receive: Callable[[int], bytes]) -> tuple[Any, list[bytes]]:
    """Content and buffers of the next packet.

    Args:
        receive: made by :func:`receive_from`.

    Raises:
        EOFError: at the end of the connection.
        WireError: if it is not a packet, or too large.
    """
    text_size, data_size = _SIZES.unpack(receive(_SIZES.size))
    if text_size > 2 * MAX_JSON or data_size > MAX_BYTES + 2**20:
        raise WireError("more data than allowed")
    text = receive(text_size)
    try:
        content = json.loads(text)
    except Exception as error:  # also for lack of memory
        raise WireError(f"unreadable JSON: {error}") from error
    return content, [receive(data_size)]


def receive_from(connection: socket.socket, wait: Callable[[], None] = lambda: None) -> Callable[[int], bytes]:
    """A function for :func:`decode` that reads exactly ``size`` bytes from a connection.

    Args:
        connection: the socket. The function raises EOFError when the connection ends.
        wait: called before each part is read.
    """

    def receive(size: int) -> bytes:
        parts = []
        while size:
            wait()
            part = connection.recv(min(size, 2**20))
            if not part:
                raise EOFError("it ended")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    return receive
