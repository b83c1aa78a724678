"""Runs one notebook in a student's kernel, asks it questions, and survives whatever its code does.

A cell or a question that takes too long is interrupted. If that does not help, or if the kernel dies, a new kernel
starts and runs the earlier cells again, except the one at fault.
"""

import contextlib
import math
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from copy import deepcopy
from queue import Empty
from types import TracebackType
from typing import Any

import zmq
from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output

from ..assignment.cells import first_line, is_test_cell, is_training
from ..kernel.wire import Packet, WireError, unpack
from ..messages import say
from ..results.errors import GraderError
from ..results.failures import StudentFailure, verdict_on_raised_cell
from ..results.result import Verdict
from .checked_messages import BadMessage, packet_message
from .kernel_client import POLL_SECONDS
from .kernel_process import KernelProcess, KernelSettings
from .outcomes import NeedsTraining
from .snapshot_client import ConnectionLost, SnapshotConnection
from .task import Device, GradingTask
from .time_limit import TimeLimit

AnswerTraining = Callable[[Packet, int], Packet | NeedsTraining]
"""Answers the training request of the cell with this index."""

ROWS_PER_LIMIT = 1000
"""A question about more rows than this is given more time."""

SEED_STRIDE = 10_000
"""In a run with seed s, the cell with index i is seeded with ``s * SEED_STRIDE + i``."""

PROBE_TIME_SHARE = 0.1
"""The share of a submission's time that is reserved for probes."""


def no_answer(request: Packet, running: int) -> Packet:
    """Give no answer: the kernel then trains everything itself."""
    return Packet()


class NotebookRunner:
    """Runs one notebook.

    Args:
        notebook: its code cells get outputs as they run.
        settings: what its kernels run in.
        answer_training: answers the kernel's training requests.
        snapshots: the indices of the cells for which a snapshot is taken, for :meth:`ask_snapshot`: before a classic
            cell, after any other one.
        classic: the question that runs each classic grade cell, by its index.
        in_place: ask these questions in place of the cells; :attr:`answers` has the answers.
    """

    def __init__(
        self,
        notebook: NotebookNode,
        settings: KernelSettings,
        answer_training: AnswerTraining = no_answer,
        snapshots: Collection[int] = (),
        classic: Mapping[int, Packet] | None = None,
        in_place: bool = False,
    ) -> None:
        limits = settings.limits
        self.notebook = notebook
        self.limits = limits
        self.outcomes: dict[int, Verdict] = {}
        """The verdict on each cell that has run, by index."""
        self.seconds: defaultdict[str, float] = defaultdict(float)
        """Seconds spent on ``kernel`` (starting one), ``cells``, ``training`` (cells that train) and ``questions``."""
        self.needs_training: NeedsTraining | None = None
        """Set when a cell needs a training run first. No further cell runs then."""
        self.kernel: KernelProcess | None = None
        """The kernel that runs now."""
        self._running = 0
        self.classic = classic or {}
        """The question that runs each classic grade cell, by its index."""
        self.answers: dict[int, Packet | StudentFailure] = {}
        """The answers to questions that were asked in place of a cell."""
        self._in_place = in_place
        self._snapshots = set(snapshots)
        self._first_seed = SEED_STRIDE * settings.seed
        self._connection: tuple[int, SnapshotConnection] | None = None
        """The connection that answers the questions after the cell with this index."""
        self._deadline = time.monotonic() + limits.submission
        self._restarts = 0
        self._next_start_counts = True
        """Whether starting the next kernel counts towards ``limits.restarts``."""
        self._has_probed = False
        self._new_kernel: Callable[[], KernelProcess] = lambda: KernelProcess(
            notebook, settings, lambda packet: answer_training(packet, self._running)
        )

    @classmethod
    def for_task(
        cls,
        task: GradingTask,
        notebook: NotebookNode,
        answer_training: AnswerTraining,
        device: Device,
        snapshots: Collection[int] = (),
        classic: Mapping[int, Packet] | None = None,
        in_place: bool = False,
    ) -> "NotebookRunner":
        """A runner with the limits, protection and files of ``task``."""
        settings = KernelSettings(
            library=task.library,
            limits=task.limits,
            protection=task.protection,
            files=task.files,
            device=device,
            seed=task.seed,
            student_files=task.student_files,
        )
        return cls(notebook, settings, answer_training, snapshots, classic, in_place)

    def __enter__(self) -> "NotebookRunner":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    # -- cells -------------------------------------------------------------------------------------------------------

    def run_until(self, index: int) -> None:
        """Run the code cells before ``index`` that have not run yet, unless a training run is needed first."""
        for i in range(index):
            if self.needs_training is not None:
                return
            if i not in self.outcomes and self.notebook.cells[i].cell_type == "code":
                self.outcomes[i] = self._run_new_cell(i)

    def _run_new_cell(self, index: int) -> Verdict:
        if not self._ready():
            return self._verdict_without_kernel()
        verdict = self._run(index)
        if verdict not in (Verdict.PASSED, Verdict.ERROR):
            hint = say(f"hint.{verdict}")
            output = new_output("error", ename=verdict.value, evalue=hint, traceback=[hint])
            self.notebook.cells[index].outputs.append(output)
        return verdict

    def _run(self, index: int) -> Verdict:
        """Run one cell in the current kernel."""
        is_classic = index in self.classic
        if is_classic and self._in_place:
            return self._ask_in_place(index)
        if is_classic and index in self._snapshots:
            self._take_snapshot(index)
        if self.kernel is None:  # the student's code broke the fork
            return Verdict.KERNEL_DIED
        client = self.kernel.client
        # drop the output of cells that run again after a probe, because it could reveal the probe
        cell = deepcopy(self.notebook.cells[index]) if self._has_probed else self.notebook.cells[index]
        trains = is_training(cell)
        computing = self.limits.question if is_test_cell(cell) and not is_classic else self.limits.cell
        client.time_limit = None if trains else self._time_limit(computing)
        # keep some time for the probes, which come after all cells
        left = max(1.0, self._seconds_left - (PROBE_TIME_SHARE * self.limits.submission if self._snapshots else 0))
        seconds = min(self.limits.training, left) if trains else left
        client.timeout = max(1, math.ceil(seconds))  # nbclient takes whole seconds, and 0 as no limit
        self._running = index
        try:
            with self._counting("training" if trains else "cells"):
                client.kc.session.metadata = {"seed": self._first_seed + index}  # of each message from here on
                run_sync(client.async_execute_cell)(cell, index)
        except TimeoutError:  # also nbclient's
            self._interrupt()
            return Verdict.TIMEOUT
        except DeadKernelError:
            return self._handle_dead_cell()
        except GraderError:
            raise
        except Exception:  # nbclient's reaction to messages that no proper kernel sends
            self.stop()
            return Verdict.INVALID_ANSWER
        errors = (output for output in cell.outputs if output.output_type == "error")
        verdict = next((verdict_on_raised_cell(error.ename, error.evalue) for error in errors), Verdict.PASSED)
        if index in self._snapshots and not is_classic:
            self._take_snapshot(index)
        return verdict

    def _ask_in_place(self, index: int) -> Verdict:
        """Run a classic grade cell, hidden lines included, in the notebook's own kernel."""
        try:
            self.answers[index] = self.ask(self.classic[index])
        except StudentFailure as failure:
            self.answers[index] = failure
            return failure.verdict
        return Verdict.PASSED

    def _handle_dead_cell(self) -> Verdict:
        """The verdict on a cell whose kernel nbclient reports as dead. Our own client may have ended the cell."""
        assert self.kernel is not None
        client = self.kernel.client
        if client.error is not None:
            raise client.error from None
        if client.needs_training is not None:
            self.needs_training = client.needs_training
            return self.stop()
        if client.flooded or client.timed_out:
            self._interrupt()
            return Verdict.TIMEOUT if client.timed_out else Verdict.TOO_MUCH_OUTPUT
        return self.stop()

    # -- questions ---------------------------------------------------------------------------------------------------

    def ask(self, question: Packet) -> Packet:
        """The kernel's answer.

        Raises:
            StudentFailure: if the kernel dies while answering, takes too long, or sends an invalid answer.
        """
        self._must_be_ready()
        try:
            with self._counting("questions"):
                return self._exchange(question, self._time_limit(self._seconds_for(question)))
        except TimeoutError:
            self._interrupt()
            raise StudentFailure(Verdict.TIMEOUT) from None

    def has_snapshot(self, index: int) -> bool:
        """Whether :meth:`ask_snapshot` can ask a fork about the cell with this index."""
        return index in self._snapshots

    def ask_snapshot(self, index: int, question: Packet, alone: bool = False) -> Packet:
        """The answer of the notebook in its state after the cell with this index, or before it if it is a classic one.

        No cell runs after such a question in the same kernel: call this only when all cells have run.

        Args:
            index: of a cell with a snapshot.
            question: the question.
            alone: whether to discard the question's side effects.

        Raises:
            StudentFailure: as in :meth:`ask`.
        """
        self._has_probed = True
        if index not in self._snapshots:
            return self._ask_again(index, question)
        self._must_be_ready()
        assert self.kernel is not None
        if index not in self.kernel.snapshots:  # it could not be taken this time
            return self._ask_again(index, question)
        with self._counting("questions"):
            try:
                if alone:
                    with SnapshotConnection(self.kernel.snapshots[index], self.kernel.pid) as connection:
                        return self._ask_connection(connection, question)
                if self._connection is None or self._connection[0] != index:
                    self._close_connection()
                    self._connection = index, SnapshotConnection(self.kernel.snapshots[index], self.kernel.pid)
                return self._ask_connection(self._connection[1], question)
            except TimeoutError:
                self._close_connection()
                raise StudentFailure(Verdict.TIMEOUT) from None
            except ConnectionLost as error:
                self._close_connection()
                time.sleep(POLL_SECONDS)  # a kernel that exceeds a limit is killed with its snapshots
                verdict = Verdict.KERNEL_DIED if self.kernel.alive else self.stop()
                raise StudentFailure(verdict, note=str(error)) from None

    def _ask_connection(self, connection: SnapshotConnection, question: Packet) -> Packet:
        return connection.ask(question, self._time_limit(self._seconds_for(question), connection.pid))

    def _ask_again(self, index: int, question: Packet) -> Packet:
        """Used if the kernel could not be forked: start a new kernel, run the cells up to ``index``, and ask it."""
        if self._seconds_left <= 0:
            raise StudentFailure(Verdict.TIMEOUT)
        self.stop()
        with self._counting("kernel"):
            self.kernel = self._new_kernel()
        try:
            if self._replay(index):
                return self.ask(question)
            raise StudentFailure(Verdict.KERNEL_DIED)
        finally:
            self.stop()
            self._next_start_counts = False

    def _close_connection(self) -> None:
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None

    def _take_snapshot(self, index: int) -> None:
        """Fork the kernel after the cell with this index. If that fails, the judge asks a new kernel instead."""
        assert self.kernel is not None
        host_path, kernel_path = self.kernel.snapshot_paths(index)
        self._snapshots.discard(index)  # do not retry if student code breaks the fork
        try:
            reply = self._exchange(
                Packet({"snapshot": kernel_path, "once": index in self.classic}), self._time_limit(self.limits.question)
            )
        except TimeoutError:
            return self._interrupt()
        except StudentFailure:
            return
        if self.kernel is not None and reply.fields.get("status") == "ok":
            self.kernel.snapshots[index] = host_path
            self._snapshots.add(index)

    def _must_be_ready(self) -> None:
        """Make sure that a kernel has run all cells so far.

        Raises:
            StudentFailure: if it restarted too often, or if time is up.
        """
        if not self._ready():
            verdict = self._verdict_without_kernel()
            endless = [i for i, outcome in sorted(self.outcomes.items()) if outcome is Verdict.TIMEOUT]
            named = bool(endless) and verdict is Verdict.TIMEOUT  # that cell used up the time of later cells
            raise StudentFailure(verdict, first_line(self.notebook.cells[endless[0]]) if named else "")

    def _seconds_for(self, question: Packet) -> float:
        """The CPU seconds that a question may take."""
        if question.fields["ask"] == "cell":
            return self.limits.cell
        rows = max((len(t) for t in question.tensors.values() if t.ndim), default=0)
        return self.limits.question * max(1, math.ceil(rows / ROWS_PER_LIMIT))

    def fetch_report(self, topic: str) -> Packet:
        """The ``trainings`` that ended in the kernel, or the ``figures`` drawn there. Empty if it does not answer."""
        try:
            return self.ask(Packet({"ask": topic}))
        except StudentFailure:
            return Packet()

    def _exchange(self, question: Packet, time_limit: TimeLimit) -> Packet:
        """Send a question and wait for its answer. Raise TimeoutError if none comes in time."""
        assert self.kernel is not None
        kc: Any = self.kernel.client.kc
        try:
            message = packet_message(kc.session, "judge_request", question)
        except WireError as error:  # the weights of a model whose size the student chose
            raise StudentFailure(Verdict.FAILED, note=f"the question is too large: {error}") from error
        try:
            kc.shell_channel.send(message)
            while True:
                try:
                    reply = run_sync(kc.shell_channel.get_msg)(timeout=POLL_SECONDS)
                    if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                        return unpack(reply["content"], reply["buffers"])
                except Empty:
                    if not self.kernel.alive:
                        raise StudentFailure(self.stop()) from None
                if time_limit.is_over:  # checking the time reads files, and most answers arrive before the first check
                    raise TimeoutError
        except (BadMessage, zmq.ZMQError) as error:
            self.stop()
            raise StudentFailure(Verdict.INVALID_ANSWER, note=str(error)) from error
        except WireError as error:
            raise StudentFailure(Verdict.INVALID_ANSWER, note=str(error)) from error

    # -- the kernel --------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _counting(self, phase: str) -> Iterator[None]:
        """Add the time that the block takes to :attr:`seconds`."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[phase] += time.monotonic() - began

    def _time_limit(self, computing: float, pid: int | None = None) -> TimeLimit:
        """A time limit for the running kernel or another process. ``computing`` is in CPU seconds of one core."""
        assert self.kernel is not None
        on_all_cores = computing * max(1, self.limits.threads)
        return TimeLimit(pid or self.kernel.pid, on_all_cores, self.limits.slack * computing, self._seconds_left)

    def _interrupt(self) -> None:
        """Stop what the kernel is doing; kill a kernel that does not respond."""
        assert self.kernel is not None
        self.kernel.interrupt()
        try:
            self._exchange(Packet({"ask": "ping"}), self._time_limit(1))
        except (TimeoutError, StudentFailure):
            self.stop()

    def _ready(self) -> bool:
        """Make sure that a kernel has run all cells so far. False if it restarted too often, or if time is up."""
        if self.kernel is not None:
            return self._seconds_left > 0
        while self._restarts <= self.limits.restarts and self._seconds_left > 0:
            with self._counting("kernel"):
                self.kernel = self._new_kernel()
            self._restarts += self._next_start_counts
            self._next_start_counts = True  # by default the next start counts, because this kernel must have died
            if self._replay():
                return True
        return False

    def _replay(self, last: int | None = None) -> bool:
        """Run the cells so far, or those up to ``last``, in a new kernel; return whether it survives."""
        for index, outcome in sorted(self.outcomes.items()):
            if last is not None and index > last:
                break
            if outcome in (Verdict.PASSED, Verdict.ERROR) and self.kernel is not None:
                self.outcomes[index] = self._run(index)
        return self.kernel is not None

    @property
    def _seconds_left(self) -> float:
        """Seconds left for the whole submission."""
        return self._deadline - time.monotonic()

    def _verdict_without_kernel(self) -> Verdict:
        """The verdict on a cell or question once :meth:`_ready` is False."""
        return Verdict.KERNEL_DIED if self._seconds_left > 0 else Verdict.TIMEOUT

    def stop(self) -> Verdict:
        """Kill the kernel and forget it. Return why it died, if known."""
        self._close_connection()
        kernel, self.kernel = self.kernel, None
        return Verdict.KERNEL_DIED if kernel is None else kernel.stop()
