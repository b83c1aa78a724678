"""The judge's side of a student's kernel: bounded queues, checked messages, limited outputs."""

import asyncio
import math
import time
from collections.abc import Callable
from queue import Empty
from typing import Any

import zmq.asyncio
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.session import Session
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal
from nbformat import NotebookNode
from nbformat.v4 import new_output

from ..kernel import MAX_TRAINING_REQUESTS
from ..kernel.wire import MAX_BYTES, Packet, WireError, unpack
from ..messages import say
from ..results.errors import GraderError
from .checked_messages import OUTPUTS, BadMessage, CheckedSession, packet_message, without_half_surrogates
from .compat import patch_nbclient
from .outcomes import NeedsTraining
from .sanitize import alternative_texts
from .time_limit import TimeLimit

patch_nbclient()

MAX_QUEUED_MESSAGES = 32
"""Messages that may be queued in the judge's memory, for each channel."""

SEND_MILLISECONDS = 5000
"""How long sending a message may take: a kernel that does not listen must not hold up the judge."""

FLOOD_FACTOR = 32
"""A cell is stopped when it sends this many times the output that is kept of a cell."""

FLOOD_MESSAGES = 100_000
"""A cell is stopped when it sends more output messages than this."""

NOTEBOOK_OUTPUT_FACTOR = 8
"""All cells of a notebook together may keep this many times the output of one cell."""

POLL_SECONDS = 0.2
"""Polling interval for the CPU time of a cell, in seconds."""


class _Socket(zmq.asyncio.Socket):
    def connect(self, addr: str) -> Any:
        """Connect without lingering on close: jupyter_client would linger for a second, even with a dead kernel."""
        self.setsockopt(zmq.LINGER, 0)
        return super().connect(addr)


class _Context(zmq.asyncio.Context):
    _socket_class = _Socket


class _KernelClient(AsyncKernelClient):
    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers and its published messages arrive.

        jupyter_client's own method then waits 0.2 s for further messages, which nobody reads.
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
        raise GraderError("The kernel does not answer.")

    def start_channels(self, **kwargs: Any) -> None:
        """Open all channels except the heartbeat: the process itself shows whether it is alive."""
        super().start_channels(**kwargs | {"hb": False})


class JudgeKernelManager(AsyncKernelManager):
    """A kernel manager whose clients have bounded queues and read checked messages."""

    binds_first = False
    """Whether the kernel binds its sockets before any client connects, so that no client has to reconnect."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.client_factory = _KernelClient
        self.session: Session = CheckedSession(parent=self)
        self._contexts: list[zmq.asyncio.Context] = []

    def client(self, **kwargs: Any) -> Any:
        """A client of this kernel."""
        context = _Context()
        context.setsockopt(zmq.MAXMSGSIZE, MAX_BYTES + 2**20)
        context.setsockopt(zmq.RCVHWM, MAX_QUEUED_MESSAGES)
        if self.binds_first:
            context.setsockopt(zmq.RECONNECT_IVL, -1)  # student code may replace the sockets: never connect again
        context.setsockopt(zmq.SNDTIMEO, SEND_MILLISECONDS)
        self._contexts.append(context)
        return super().client(context=context, **kwargs)

    def close(self) -> None:
        """Release the sockets of all clients."""
        for context in self._contexts:
            context.destroy(linger=0)
        self._contexts.clear()


class JudgeClient(NotebookClient):
    """Runs cells: keeps their outputs up to a limit, and answers the kernel's training requests.

    Args:
        notebook: the notebook.
        km: the kernel's manager.
        max_output: bytes of output to keep for one cell.
        answer_training: answers a training request. :class:`NeedsTraining` ends the cell, and so does an exception.
    """

    def __init__(
        self,
        notebook: NotebookNode,
        km: Any,
        max_output: int,
        answer_training: Callable[[Packet], Packet | NeedsTraining],
        **kwargs: Any,
    ) -> None:
        super().__init__(notebook, km=km, allow_errors=True, coalesce_streams=True, record_timing=False, **kwargs)
        self._max_output = max_output
        self._answer_training = answer_training
        self._size = self._messages = self._notebook_size = 0
        self._cut = False
        self.time_limit: TimeLimit | None = None
        """Ends the running cell when its time is up; None for a cell without a limit on CPU time."""
        self.flooded = False
        """Whether the last cell was stopped because it sent too much output."""
        self.timed_out = False
        """Whether the last cell was stopped because its time was up."""
        self.needs_training: NeedsTraining | None = None
        """The training run that is needed before the last cell can run."""
        self.error: BaseException | None = None
        """The exception that ``answer_training`` has raised."""

    async def async_execute_cell(self, cell: NotebookNode, cell_index: int, *args: Any, **kwargs: Any) -> NotebookNode:
        """Run a cell. Meanwhile, answer its requests and watch its time."""
        self._size = self._messages = 0
        self._cut = self.flooded = self.timed_out = False
        beside = [asyncio.ensure_future(task) for task in (self._answer_requests(), self._watch_time())]
        try:
            return await super().async_execute_cell(cell, cell_index, *args, **kwargs)
        finally:
            for task in beside:
                task.cancel()

    async def _watch_time(self) -> None:
        """End the cell when its time is up, or when the kernel is dead."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            self.timed_out = self.time_limit is not None and self.time_limit.is_over
            if self.timed_out or not await ensure_async(self.km.is_alive()):
                return self._end_cell()

    async def _answer_requests(self) -> None:
        """Answer the kernel's training requests."""
        kc: Any = self.kc
        for _ in range(MAX_TRAINING_REQUESTS):
            try:
                request = await kc.stdin_channel.get_msg()
            except BadMessage:
                continue
            if request["msg_type"] == "training_request":
                try:
                    answer = self._answer_training(unpack(request["content"], request["buffers"]))
                except WireError:
                    answer = Packet()
                except BaseException as error:
                    self.error = error
                    return self._end_cell()
                if isinstance(answer, NeedsTraining):
                    self.needs_training = answer
                    return self._end_cell()
                kc.stdin_channel.send(packet_message(kc.session, "training_reply", answer))

    def _end_cell(self) -> None:
        """Stop waiting for the running cell: nbclient then treats its kernel as dead."""
        if self.task_poll_for_reply is not None:
            self.task_poll_for_reply.cancel()

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Process one message of a cell, unless the cell has already sent too much.

        Raises:
            CellExecutionComplete: when it is the last message.
            BadMessage: if nbclient cannot process it.
        """
        kind, content = msg["msg_type"], msg["content"]
        if kind.startswith("comm"):  # widgets: they show nothing without a running kernel
            return None
        if kind in OUTPUTS:
            if not self._has_room(msg):
                if not self._cut:
                    self._cut = True
                    cell.outputs.append(new_output("stream", name="stderr", text=say("output.cut")))
                return None
            if "data" in content:
                content["data"] = {name: text for name, text in content["data"].items() if isinstance(text, str)}
                content["metadata"] = alternative_texts(content["metadata"])
        try:
            msg["content"] = without_half_surrogates(content)
            return super().process_message(msg, cell, cell_index)
        except CellControlSignal:
            raise
        except Exception as error:  # from a message that passed the checks above
            raise BadMessage(f"{type(error).__name__}: {error}"[:500]) from error

    def _has_room(self, msg: dict[str, Any]) -> bool:
        """Whether an output is kept. Ends the cell that has sent far too much."""
        self._messages += 1
        size = msg["size"]
        if msg["msg_type"] == "update_display_data":  # it replaces every output with that id
            shown = self._display_id_map.get((msg["content"].get("transient") or {}).get("display_id"), {})
            size *= sum(len(places) for places in shown.values())
        self._size += size
        self._notebook_size += size if self._size <= self._max_output else 0
        if self._size > FLOOD_FACTOR * self._max_output or self._messages > FLOOD_MESSAGES:
            self.flooded = True
            self._end_cell()
        return self._size <= self._max_output and self._notebook_size <= NOTEBOOK_OUTPUT_FACTOR * self._max_output
