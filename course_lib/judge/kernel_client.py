"""The judge's side of a student's kernel: Jupyter messages, none of them trusted.

A student's code owns its kernel and may send anything with a right signature. Here messages are capped in size, checked
before nbclient sees them, and outputs are kept up to a limit.
"""

import asyncio
import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from typing import Any

import fastjsonschema
import nbclient.client
import psutil
import zmq.asyncio
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.session import Session as MessageSession
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal
from nbformat import NotebookNode
from nbformat.v4 import new_output

from ..authoring.errors import GradingFault
from ..kernel import REQUESTS
from ..kernel.wire import MAX_BYTES, Packet, WireError, pack, unpack
from ..messages import say
from .sanitize import alternative_texts

__all__ = [
    "LOOK",
    "PATIENCE",
    "BadMessage",
    "JudgeClient",
    "JudgeKernelManager",
    "Stopwatch",
    "no_answer",
    "packet_message",
]

WAITING_MESSAGES = 32
"""Messages that may wait in the judge's memory, for each channel."""

SEND_MILLISECONDS = 5000

FLOOD = 32
"""A cell that sends this many times what is kept of its outputs is stopped."""

NOTEBOOK = 8
"""All cells of a notebook together keep this many times what one may keep."""

FLOOD_MESSAGES = 100_000

LOOK = 0.2
"""Seconds between two looks at the time that a cell has computed."""

PATIENCE = 3
"""A cell or a question may take this many times the seconds that it may compute: it may wait, the machine be busy."""

# nbclient looks for one from each letter of a line on: for a line of 4 MB without any, that takes more than an hour
nbclient.client._RGX_CARRIAGERETURN = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)

_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}
_TRANSIENT = {"type": ["object", "null"], "properties": {"display_id": {"type": ["string", "null"]}}}
_BUNDLE = {"data": _OBJECT, "metadata": _OBJECT, "transient": _TRANSIENT}
_CONTENTS: dict[str, dict[str, Any]] = {
    "stream": {"name": {"enum": ["stdout", "stderr"]}, "text": _TEXT},
    "display_data": _BUNDLE,
    "update_display_data": _BUNDLE,
    "execute_result": _BUNDLE,
    "error": {"ename": _TEXT, "evalue": _TEXT, "traceback": {"type": "array", "items": _TEXT}},
    "status": {"execution_state": _TEXT},
    "execute_reply": {"status": _TEXT},
    "kernel_info_reply": {"protocol_version": _TEXT},
}
_OUTPUTS = {"stream", "display_data", "update_display_data", "execute_result", "error"}


def _message_schema(content: dict[str, Any]) -> dict[str, Any]:
    """Of a message whose content has these properties."""
    header = {"type": "object", "properties": {"msg_id": _TEXT, "msg_type": _TEXT}, "required": ["msg_id", "msg_type"]}
    always = {"execution_count": {"type": ["integer", "null"]}}
    body = {"type": "object", "properties": always | content, "required": [k for k in content if k != "transient"]}
    parts = {"header": header, "parent_header": _OBJECT, "metadata": _OBJECT, "content": body}
    return {"type": "object", "properties": parts, "required": list(parts)}


_check_any = fastjsonschema.compile(_message_schema({}))
_checks: dict[str, Callable[[Any], Any]] = {
    kind: fastjsonschema.compile(_message_schema(content)) for kind, content in _CONTENTS.items()
}


class Stopwatch:
    """Measures how long a process computes from now on.

    Args:
        pid: the process; its threads count, other processes that it starts do not.
        computing: seconds of computing that it may take.
        passing: seconds that may pass, those not counted in which it was ready and no core was free.
        left: seconds that may pass in any case: processes that it starts itself may take the cores.
    """

    def __init__(self, pid: int, computing: float, passing: float, left: float) -> None:
        self._pid = pid
        self._most = self._computed + computing
        now = time.monotonic()
        self._deadline, self._end = now + passing, now + left
        self._starved_before: float | None = None  # until the first look: most questions end before

    @property
    def _starved(self) -> float:
        """Seconds that the kernel was ready to compute and no core was free: other students' code may take them all."""
        tasks = Path(f"/proc/{self._pid}/task")
        try:
            return max(int(path.read_text().split()[1]) for path in tasks.glob("*/schedstat")) / 1e9
        except (OSError, ValueError, IndexError):  # dead, or a Linux that does not count them
            return 0.0

    @property
    def _computed(self) -> float:
        try:
            times = psutil.Process(self._pid).cpu_times()
        except psutil.Error:  # it has ended, which others notice
            return 0.0
        return float(times.user + times.system)

    @property
    def is_over(self) -> bool:
        """Whether one of these times is over."""
        if self._starved_before is None:
            self._starved_before = self._starved
        now = time.monotonic()
        late = now - self._deadline  # a look at all threads only where it can matter
        waited = late > 0 and late > self._starved - self._starved_before
        return waited or now > self._end or self._computed > self._most


class BadMessage(Exception):
    """A kernel sent what no kernel sends."""


class _CheckedSession(MessageSession):
    """Reads messages that follow Jupyter's protocol, as far as the judge relies on it."""

    def feed_identities(self, msg_list: Any, copy: bool = True) -> tuple[list[bytes], list[Any]]:
        """The routing part of a message, and the rest.

        Raises:
            BadMessage: if there is no border between them.
        """
        try:
            identities, rest = super().feed_identities(msg_list, copy)
        except Exception as error:
            raise BadMessage("no delimiter") from error
        return identities, rest

    def deserialize(self, msg_list: Any, content: bool = True, copy: bool = True) -> dict[str, Any]:
        """One message.

        Raises:
            BadMessage: if it is none.
        """
        try:
            message: dict[str, Any] = super().deserialize(msg_list, content, copy)
            _check_any(message)
            check = _checks.get(message["header"]["msg_type"])
            if check is not None:
                check(message)
            message["size"] = sum(len(frame) for frame in msg_list)
        except Exception as error:  # jupyter_client, its JSON reader and the checks raise many types
            raise BadMessage(f"{type(error).__name__}: {error}"[:500]) from error
        return message


class _Socket(zmq.asyncio.Socket):
    def connect(self, addr: str) -> Any:
        """Connect, to wait for nothing at the end: jupyter_client sets a second, which a dead kernel would cost."""
        self.setsockopt(zmq.LINGER, 0)
        return super().connect(addr)


class _Context(zmq.asyncio.Context):
    _socket_class = _Socket


class _KernelClient(AsyncKernelClient):
    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Until the kernel answers and what it publishes arrives.

        jupyter_client's own method then waits 0.2 s for messages that nobody will read.
        """
        deadline = time.monotonic() + (math.inf if timeout is None else timeout)
        while time.monotonic() < deadline and await self._async_is_alive():
            self.kernel_info()
            try:
                await self.shell_channel.get_msg(timeout=1)
                await self.iopub_channel.get_msg(timeout=0.2)
            except Empty:
                continue
            return
        raise GradingFault("The kernel does not answer.")

    def start_channels(self, **kwargs: Any) -> None:
        """Open all but the heartbeat: the process itself says whether it lives."""
        super().start_channels(**kwargs | {"hb": False})


class JudgeKernelManager(AsyncKernelManager):
    """A kernel manager whose clients have bounded queues and read checked messages."""

    listens = False
    """Whether the kernel's sockets were there before any client: one connection for each is enough."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.client_factory = _KernelClient
        self.session: MessageSession = _CheckedSession(parent=self)
        self._contexts: list[zmq.asyncio.Context] = []

    def client(self, **kwargs: Any) -> Any:
        """A client of this kernel."""
        context = _Context()
        context.setsockopt(zmq.MAXMSGSIZE, MAX_BYTES + 2**20)
        context.setsockopt(zmq.RCVHWM, WAITING_MESSAGES)
        if self.listens:
            context.setsockopt(zmq.RECONNECT_IVL, -1)  # what its code puts in a socket's place is left alone
        context.setsockopt(zmq.SNDTIMEO, SEND_MILLISECONDS)  # a kernel that hangs up must not hold the judge
        self._contexts.append(context)
        return super().client(context=context, **kwargs)

    def close(self) -> None:
        """Give back what the clients used."""
        for context in self._contexts:
            context.destroy(linger=0)
        self._contexts.clear()


def _whole_letters(value: Any) -> Any:
    """A JSON value without half surrogate pairs, which cannot be written to a file."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_whole_letters(item) for item in value]
    if isinstance(value, dict):
        return {_whole_letters(name): _whole_letters(item) for name, item in value.items()}
    return value


def packet_message(session: MessageSession, kind: str, packet: Packet) -> dict[str, Any]:
    """The Jupyter message that carries ``packet`` to a kernel."""
    content, data = pack(packet)
    message: dict[str, Any] = session.msg(kind, content)
    message["buffers"] = [data]
    return message


def no_answer(request: Packet) -> Packet:
    """For a kernel that may train whatever it likes: no training is finished."""
    return Packet()


class JudgeClient(NotebookClient):
    """Runs cells: keeps their outputs up to a limit, and answers what the kernel asks about finished trainings.

    Args:
        notebook: the notebook.
        km: the kernel.
        kept: bytes of output to keep for one cell.
        finished_training: answers a request for a finished training. What it raises ends the cell: :attr:`error`.
    """

    def __init__(
        self,
        notebook: NotebookNode,
        km: Any,
        kept: int,
        finished_training: Callable[[Packet], Packet],
        **kwargs: Any,
    ) -> None:
        super().__init__(notebook, km=km, allow_errors=True, coalesce_streams=True, record_timing=False, **kwargs)
        self._kept = kept
        self._finished_training = finished_training
        self._size = self._messages = self._notebook_size = 0
        self._cut = False
        self.flooded = False
        """Whether the last cell was stopped because it sent too much."""
        self.stopwatch: Stopwatch | None = None
        """Ends the cell that runs when it says so."""
        self.late = False
        """Whether it has."""
        self.error: BaseException | None = None
        """What ``finished_training`` has raised."""

    async def async_execute_cell(self, cell: NotebookNode, cell_index: int, *args: Any, **kwargs: Any) -> NotebookNode:
        """Run a cell, with the judge at its side."""
        self._size = self._messages = 0
        self._cut = self.flooded = self.late = False
        beside = [asyncio.ensure_future(task) for task in (self._answer_requests(), self._watch_time())]
        try:
            return await super().async_execute_cell(cell, cell_index, *args, **kwargs)
        finally:
            for task in beside:
                task.cancel()

    async def _watch_time(self) -> None:
        """End the cell when it has computed for too long, or when the kernel is dead, until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            self.late = self.stopwatch is not None and self.stopwatch.is_over
            if self.late or not await ensure_async(self.km.is_alive()):
                return self._end_cell()

    async def _answer_requests(self) -> None:
        """Answer the kernel's requests, until cancelled."""
        kc: Any = self.kc
        for _ in range(REQUESTS):
            try:
                request = await kc.stdin_channel.get_msg()
            except BadMessage:
                continue
            if request["msg_type"] == "training_request":
                try:
                    answer = self._finished_training(unpack(request["content"], request["buffers"]))
                except WireError:
                    answer = Packet()
                except BaseException as error:
                    self.error = error
                    return self._end_cell()
                kc.stdin_channel.send(packet_message(kc.session, "training_reply", answer))

    def _end_cell(self) -> None:
        """Wait no longer for the cell that runs: it counts as one whose kernel died."""
        if self.task_poll_for_reply is not None:
            self.task_poll_for_reply.cancel()

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Take one message of a cell, unless it has sent enough.

        Raises:
            CellExecutionComplete: when it is the last one.
            BadMessage: if nbclient cannot make sense of it.
        """
        kind, content = msg["msg_type"], msg["content"]
        if kind.startswith("comm"):  # widgets: nothing to show without a running kernel
            return None
        if kind in _OUTPUTS:
            self._messages += 1
            size = msg["size"]
            if kind == "update_display_data":  # it replaces every output with that id
                shown = self._display_id_map.get((content.get("transient") or {}).get("display_id"), {})
                size *= sum(len(places) for places in shown.values())
            self._size += size
            self._notebook_size += size if self._size <= self._kept else 0
            if self._size > FLOOD * self._kept or self._messages > FLOOD_MESSAGES:
                self.flooded = True
                self._end_cell()
            if self._size > self._kept or self._notebook_size > NOTEBOOK * self._kept:
                if not self._cut:
                    self._cut = True
                    cell.outputs.append(new_output("stream", name="stderr", text=say("output.cut")))
                return None
            if "data" in content:
                content["data"] = {name: text for name, text in content["data"].items() if isinstance(text, str)}
                content["metadata"] = alternative_texts(content["metadata"])
        try:
            msg["content"] = _whole_letters(content)
            return super().process_message(msg, cell, cell_index)
        except CellControlSignal:
            raise
        except Exception as error:  # from a message that the checks above let through
            raise BadMessage(f"{type(error).__name__}: {error}"[:500]) from error
