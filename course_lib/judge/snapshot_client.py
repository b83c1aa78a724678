"""The judge's side of a snapshot: see :mod:`course_lib.kernel.snapshot`."""

import contextlib
import os
import select
import signal
import socket
import stat
import struct
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from ..kernel.framing import decode, encode, receive_from
from ..kernel.wire import Packet, WireError, unpack
from ..results.failures import StudentFailure
from ..results.result import Verdict
from .kernel_client import POLL_SECONDS
from .time_limit import TimeLimit

GREETING = 10
"""Seconds within which a snapshot must answer a new connection."""


class ConnectionLost(Exception):
    """The answering process has ended."""


class SnapshotConnection:
    """A connection to a snapshot. A fork of the snapshot answers, and is killed with the connection.

    Args:
        path: the snapshot's socket. Student code may have replaced it with anything.
        kernel: the pid of the kernel, which must not answer in place of a fork.

    Raises:
        ConnectionLost: if no fork answers.
    """

    def __init__(self, path: Path, kernel: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._pidfd = -1
        self._next_check = 0.0
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self._socket.settimeout(GREETING)
            _connect(self._socket, path)
            greeting, ancillary, _, _ = self._socket.recvmsg(1, socket.CMSG_SPACE(12))
            self.pid = next(
                struct.unpack("3i", data[:12])[0] for _, kind, data in ancillary if kind == socket.SCM_CREDENTIALS
            )
            self._pidfd = os.pidfd_open(self.pid) if greeting and self.pid not in (0, kernel) else -1
        except (OSError, StopIteration) as error:
            self._socket.close()
            raise ConnectionLost(str(error)) from error
        if self._pidfd < 0:
            self._socket.close()
            raise ConnectionLost("the process has ended, or is not a fork of the kernel")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def ask(self, question: Packet, time_limit: TimeLimit) -> Packet:
        """The answer to a question.

        Raises:
            TimeoutError: if the time is up.
            ConnectionLost: if the process ends before it answers.
            StudentFailure: if the answer is invalid, or the question is too large.
        """
        try:
            message = encode(question)
        except WireError as error:  # the weights of a model whose size the student chose
            raise StudentFailure(Verdict.FAILED, note=f"the question is too large: {error}") from error
        try:
            self._send(message, time_limit)
            return unpack(*decode(receive_from(self._socket, lambda: self._wait(time_limit))))
        except WireError as error:
            raise StudentFailure(Verdict.INVALID_ANSWER, note=str(error)) from error
        except TimeoutError:
            raise
        except (EOFError, OSError) as error:
            raise ConnectionLost(str(error)) from error

    def _send(self, message: bytes, time_limit: TimeLimit) -> None:
        view = memoryview(message)
        while view:
            self._wait(time_limit, sending=True)
            view = view[self._socket.send(view) :]

    def _wait(self, time_limit: TimeLimit, sending: bool = False) -> None:
        """Wait until the connection is ready to send or to read."""
        while True:
            if time.monotonic() > self._next_check:
                self._next_check = time.monotonic() + POLL_SECONDS
                if time_limit.is_over:
                    raise TimeoutError
            reading, writing, _ = select.select([self._socket], [self._socket] if sending else [], [], POLL_SECONDS)
            if writing or (reading and not sending):
                return

    def close(self) -> None:
        """Kill the answering process."""
        self._socket.close()
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            os.close(self._pidfd)
            self._pidfd = -1


def _connect(connection: socket.socket, path: Path) -> None:
    """Connect to a socket in a folder that student code can write to. Never follow a link there."""
    deadline = time.monotonic() + GREETING
    while True:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                raise OSError(f"{path.name} is not a socket")
            return connection.connect(f"/proc/self/fd/{descriptor}")
        except BlockingIOError:  # its queue is full
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        finally:
            os.close(descriptor)
