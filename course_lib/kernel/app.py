"""A student's kernel: an ordinary IPython kernel that also takes ``judge_request`` messages.

``python -m course_lib.kernel -f connection.json`` starts one by itself; the fork server forks them.
"""

import contextlib
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import numpy as np
import zmq
from ipykernel.iostream import OutStream
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from traitlets.config import Config

from ..device import seed
from . import REQUESTS, figures, training_reuse
from .responder import Responder
from .wire import Packet, WireError, pack, unpack

__all__ = ["forget_other_course_libs", "kernel_app"]

SEEDS = (random.seed, np.random.seed, seed)
"""Found now: students write ``random.seed = 0``."""

PATIENCE = 30
"""Seconds to wait for the judge's answer about a training; then the model is trained."""


class Stream(OutStream):
    """``sys.stdout`` or ``sys.stderr`` of the notebook."""

    _sending = False
    """Whether another thread is about to send what it has taken out of the buffers."""

    def flush(self) -> None:
        """Send what was written, if anything was: the kernel asks four times for each message, 0.5 ms each."""
        if self._buffers or self._sending:
            super().flush()

    def _flush(self) -> None:
        self._sending = True
        try:
            super()._flush()
        finally:
            self._sending = False


class StudentKernel(IPythonKernel):
    """An IPython kernel that answers the judge, and asks it for finished trainings."""

    msg_types: ClassVar = [*IPythonKernel.msg_types, "judge_request"]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._asking = threading.Lock()  # models may be trained in threads, and two of them at a socket end the kernel
        self._asked = 0
        training_reuse.activate(self.ask_judge)
        figures.activate(self.shell)
        self.shell.ask_exit = _end_the_cell

    async def execute_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Run a cell, with random, numpy and torch seeded by the number that comes with it."""
        for seeding in SEEDS:
            with contextlib.suppress(Exception):  # the cell runs, whatever the student's code did to it
                seeding(parent["metadata"]["seed"])
        self._asked = 0
        await super().execute_request(stream, ident, parent)

    async def judge_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Answer one question over the shell channel."""
        content, data = Responder(self.shell.user_ns).packed_answer(parent["content"], parent["buffers"])
        self.session.send(stream, "judge_reply", content, parent, ident, buffers=[data])

    def _publish_status(self, status: str, channel: str, parent: dict[str, Any] | None = None) -> None:
        """Tell that the kernel is busy or idle; of the judge's questions nobody wants to know."""
        if (parent or self.get_parent(channel)).get("header", {}).get("msg_type") != "judge_request":
            super()._publish_status(status, channel, parent)

    def ask_judge(self, question: Packet) -> Packet:
        """Ask over the stdin channel, the one on which a running cell can wait for an answer."""
        content, data = pack(question)
        ident = self._get_shell_context_var(self._shell_parent_ident)
        with self._asking:
            if self._asked >= REQUESTS:  # nobody would answer
                raise WireError("too many questions in one cell")
            self._asked += 1
            self.session.send(
                self.stdin_socket, "training_request", content, self.get_parent("shell"), ident, buffers=[data]
            )
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                if zmq.select([self.stdin_socket], [], [], 0.05)[0]:
                    _, reply = self.session.recv(self.stdin_socket)
                    if reply and reply["msg_type"] == "training_reply":
                        return unpack(reply["content"], reply["buffers"])
        raise WireError("the judge did not answer")


def _end_the_cell() -> NoReturn:
    """What ``exit()`` and ``quit()`` do: as ``sys.exit()``, they end the cell.

    IPython would end the kernel after the cell, so that each later cell and question met a dead one.
    """
    raise SystemExit


def kernel_app() -> IPKernelApp:
    """The application around a :class:`StudentKernel`, not yet initialized."""
    config = Config(
        HistoryManager={"enabled": False},  # what a cell can ask for is there; the file takes time
        IPKernelApp={
            "outstream_class": f"{__name__}.{Stream.__name__}",
            "logging_config": {"loggers": {"IPKernelApp": {"level": "ERROR"}}},  # nobody sees its log
        },
    )
    app: IPKernelApp = IPKernelApp.instance(kernel_class=StudentKernel, config=config)
    return app


def forget_other_course_libs() -> None:
    """Import nothing from another course_lib: an editable install would lead to the judge's."""
    library = Path(__file__).resolve().parents[2]
    sys.path[:] = [p for p in sys.path if Path(p).resolve() == library or not (Path(p) / "course_lib").exists()]
    sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", "")]
