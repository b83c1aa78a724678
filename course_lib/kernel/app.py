"""A student's kernel: an ordinary IPython kernel that also answers ``judge_request`` messages.

The fork server forks such kernels; ``python -m course_lib.kernel -f connection.json`` starts a single one.
"""

import os
import sys
import threading
import time
from typing import Any, ClassVar, NoReturn

import zmq
from ipykernel.iostream import OutStream
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from traitlets.config import Config

from . import MAX_TRAINING_REQUESTS
from .answering import packed_answer, raised, seed_all
from .snapshot import take_snapshot
from .wire import Packet, WireError, pack, unpack

ANSWER_SECONDS = 30
"""Seconds to wait for the judge's answer to a training request; after that, the model is trained."""


class Stream(OutStream):
    """``sys.stdout`` or ``sys.stderr`` of the notebook."""

    _sending = False
    """Whether another thread has taken text out of the buffers and not sent it yet."""

    def flush(self) -> None:
        """Send the text that was written, if there is any.

        The kernel flushes four times for each message. Without the check, each flush takes 0.5 ms.
        """
        if self._buffers or self._sending:
            super().flush()

    def _flush(self) -> None:
        self._sending = True
        try:
            super()._flush()
        finally:
            self._sending = False


class StudentKernel(IPythonKernel):
    """An IPython kernel that answers the judge's questions, and asks the judge for finished training runs."""

    msg_types: ClassVar = [*IPythonKernel.msg_types, "judge_request"]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._asking = threading.Lock()  # a notebook may train in threads; two of them at one socket crash the kernel
        self._asked = 0
        self._folder = os.getcwd()
        if "course_lib.training" in sys.modules:  # the notebook uses course_lib
            from . import figures, training_reuse

            training_reuse.activate(self.ask_judge)
            figures.activate(self.shell)
        self.shell.ask_exit = _end_the_cell

    async def execute_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Run a cell after seeding random, numpy and torch with the number in the message."""
        seed_all(parent["metadata"]["seed"])
        self._asked = 0
        await super().execute_request(stream, ident, parent)

    async def judge_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Answer one question of the judge over the shell channel, or take a snapshot for later questions."""
        if path := parent["content"].get("snapshot"):
            content, data = pack(self._take_snapshot(path, bool(parent["content"].get("once"))))
        else:
            content, data = packed_answer(self.shell.user_ns, parent["content"], parent["buffers"])
        self.session.send(stream, "judge_reply", content, parent, ident, buffers=[data])

    def _take_snapshot(self, path: str, once: bool) -> Packet:
        try:
            take_snapshot(self.shell.user_ns, path, self._folder, once)
        except Exception as error:  # the judge then asks a new kernel, which runs the cells again
            return raised(error)
        return Packet({"status": "ok"})

    def _publish_status(self, status: str, channel: str, parent: dict[str, Any] | None = None) -> None:
        """Publish that the kernel is busy or idle, except for the judge's questions, when nobody reads it."""
        if (parent or self.get_parent(channel)).get("header", {}).get("msg_type") != "judge_request":
            super()._publish_status(status, channel, parent)

    def ask_judge(self, question: Packet) -> Packet:
        """Ask the judge over the stdin channel, the only one on which a running cell can wait for an answer.

        Raises:
            WireError: if this cell has asked too often, or no valid answer arrives in time.
        """
        content, data = pack(question)
        ident = self._get_shell_context_var(self._shell_parent_ident)
        with self._asking:
            if self._asked >= MAX_TRAINING_REQUESTS:  # the judge would not answer
                raise WireError("too many questions in one cell")
            self._asked += 1
            self.session.send(
                self.stdin_socket, "training_request", content, self.get_parent("shell"), ident, buffers=[data]
            )
            deadline = time.monotonic() + ANSWER_SECONDS
            while time.monotonic() < deadline:
                if zmq.select([self.stdin_socket], [], [], 0.05)[0]:
                    _, reply = self.session.recv(self.stdin_socket)
                    if reply and reply["msg_type"] == "training_reply":
                        return unpack(reply["content"], reply["buffers"])
        raise WireError("the judge did not answer")


def _end_the_cell() -> NoReturn:
    """Make ``exit()`` and ``quit()`` end the cell, as ``sys.exit()`` does.

    IPython would end the whole kernel after the cell, and all later cells and questions would fail.
    """
    raise SystemExit


def kernel_app() -> IPKernelApp:
    """Create the application that runs a :class:`StudentKernel`; the caller initializes it."""
    config = Config(
        HistoryManager={"enabled": False},  # `In` and `Out` still work; the history file takes time
        IPKernelApp={
            "outstream_class": f"{__name__}.{Stream.__name__}",
            "logging_config": {"loggers": {"IPKernelApp": {"level": "ERROR"}}},  # nobody reads its log
        },
    )
    app: IPKernelApp = IPKernelApp.instance(kernel_class=StudentKernel, config=config)
    return app
