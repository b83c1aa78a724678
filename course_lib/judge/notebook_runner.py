"""One notebook in one student's kernel: run its cells, ask it questions, outlive what its code does.

The kernel is another process, in a sandbox unless the configuration says otherwise. It imports the student half of
course_lib and what answers questions, and nothing of the judge. A cell or a question that takes too long is
interrupted; when that does not help, or when the kernel dies, a new kernel is started and the cells run so far are run
again, without the one at fault.
"""

import contextlib
import math
import os
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from queue import Empty
from types import TracebackType
from typing import Any

import zmq
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output

from ..assignment.cells import first_line, is_check, is_training
from ..authoring.errors import GradingFault
from ..authoring.failures import StudentFailure, meaning
from ..authoring.result import Verdict
from ..files import cache_folder
from ..kernel.wire import Packet, WireError, unpack
from ..messages import language, say
from .kernel_client import (
    LOOK,
    PATIENCE,
    BadMessage,
    JudgeClient,
    JudgeKernelManager,
    Stopwatch,
    no_answer,
    packet_message,
)
from .sandbox import CACHE, HOME, KERNEL_VARIABLES, LIBRARY, MACHINE_VARIABLES, SandboxProvisioner, sandbox
from .task import Device, Limits, Protection

ROWS = 1000
"""A question about more rows than these has more time."""

__all__ = ["NotebookRunner"]


class _OneKernel(KernelSpecManager):
    """Offers the student's kernel only: no kernel installed on the machine, or named by a submission, is used."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The student's kernel, whatever the name."""
        return KernelSpec(
            argv=[sys.executable, "-m", "course_lib.kernel", "-f", "{connection_file}"],
            display_name="student",
            language="python",
        )


class NotebookRunner:
    """Runs one notebook.

    Args:
        notebook: its code cells get outputs as they run.
        library: the folder made by :func:`course_lib.judge.sandbox.kernel_folder`.
        limits: what its code may use.
        protection: what its code runs in.
        files: files of the assignment that the notebook may read, copied beside it.
        finished_training: answers the kernel's request for a finished training.
        device: what the kernel sees; on ``cpu`` no graphics card, whatever the machine has.
    """

    def __init__(
        self,
        notebook: NotebookNode,
        library: Path,
        limits: Limits,
        protection: Protection = "bubblewrap",
        files: Path | None = None,
        finished_training: Callable[[Packet], Packet] = no_answer,
        device: Device = "cpu",
    ) -> None:
        self.notebook = notebook
        self.limits = limits
        self.outcomes: dict[int, Verdict] = {}
        """What became of the cells run so far, by index."""
        self.running = 0
        """Index of the cell that runs, or ran last."""
        self.seconds: defaultdict[str, float] = defaultdict(float)
        """Where time went: ``kernel`` (starting one), ``cells``, ``training`` (cells that train), ``questions``."""
        self._library = library
        self._protection = protection
        self._device = device
        self._files = files
        self._finished_training = finished_training
        self._deadline = time.monotonic() + limits.submission
        self._restarts = 0
        self._client: JudgeClient | None = None
        self._km: Any = None
        self._scratch: Path | None = None

    def __enter__(self) -> "NotebookRunner":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop()

    # -- cells -------------------------------------------------------------------------------------------------------

    def run_until(self, index: int) -> None:
        """Run the code cells before ``index`` that have not run yet."""
        for i in range(index):
            if i not in self.outcomes and self.notebook.cells[i].cell_type == "code":
                self.outcomes[i] = self._run_new_cell(i)

    def _run_new_cell(self, index: int) -> Verdict:
        if not self._ready():
            return self._why_no_kernel()
        verdict = self._run(index)
        if verdict not in (Verdict.PASSED, Verdict.ERROR):
            hint = say(f"hint.{verdict}")
            output = new_output("error", ename=verdict.value, evalue=hint, traceback=[hint])
            self.notebook.cells[index].outputs.append(output)
        return verdict

    def _run(self, index: int) -> Verdict:
        """Run one cell in the kernel that is there."""
        client = self._client
        assert client is not None
        cell = self.notebook.cells[index]
        trains = is_training(cell)
        computing = self.limits.question if is_check(cell) else self.limits.cell
        client.stopwatch = None if trains else self._stopwatch(computing)
        seconds = min(self.limits.training, self._seconds_left) if trains else self._seconds_left
        client.timeout = max(1, math.ceil(seconds))  # nbclient takes whole seconds, and 0 as no limit
        self.running = index
        try:
            with self._counting("training" if trains else "cells"):
                client.kc.session.metadata = {"seed": index}  # of each message from here on
                run_sync(client.async_execute_cell)(cell, index)
        except TimeoutError:  # nbclient's, too
            self._interrupt()
            return Verdict.TIMEOUT
        except DeadKernelError:
            if client.error is not None:
                raise client.error from None
            if client.flooded or client.late:
                self._interrupt()
                return Verdict.TIMEOUT if client.late else Verdict.TOO_MUCH_OUTPUT
            return self._stop()
        except GradingFault:
            raise
        except Exception:  # what nbclient makes of messages that no kernel sends
            self._stop()
            return Verdict.NONSENSE
        return next((meaning(o.ename, o.evalue) for o in cell.outputs if o.output_type == "error"), Verdict.PASSED)

    # -- questions ---------------------------------------------------------------------------------------------------

    def ask(self, question: Packet) -> Packet:
        """The kernel's answer.

        Raises:
            StudentFailure: when the kernel dies over it, or takes too long, or answers with rubbish.
        """
        if not self._ready():
            verdict = self._why_no_kernel()
            endless = [i for i, outcome in sorted(self.outcomes.items()) if outcome is Verdict.TIMEOUT]
            named = bool(endless) and verdict is Verdict.TIMEOUT  # it took the time of what comes after it, too
            raise StudentFailure(verdict, first_line(self.notebook.cells[endless[0]]) if named else "")
        try:
            with self._counting("questions"):
                rows = max((len(t) for t in question.tensors.values() if t.ndim), default=0)
                seconds = self.limits.question * max(1, math.ceil(rows / ROWS))
                return self._exchange(question, self._stopwatch(seconds))
        except TimeoutError:
            self._interrupt()
            raise StudentFailure(Verdict.TIMEOUT) from None

    @contextlib.contextmanager
    def _counting(self, phase: str) -> Iterator[None]:
        """Add the time that the block takes to :attr:`seconds`."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[phase] += time.monotonic() - began

    def _stopwatch(self, computing: float) -> Stopwatch:
        """For the kernel that runs: seconds of computing on one core, and of waiting."""
        return Stopwatch(
            self._km.provisioner.pid,
            computing * max(1, self.limits.threads),
            PATIENCE * computing,
            self._seconds_left,
        )

    def _exchange(self, question: Packet, stopwatch: Stopwatch) -> Packet:
        """Send a question, wait for its answer; TimeoutError when there is none in time."""
        assert self._client is not None
        kc: Any = self._client.kc
        try:
            message = packet_message(kc.session, "judge_request", question)
        except WireError as error:  # weights of a model of the student's own size
            raise StudentFailure(Verdict.FAILED, note=f"the question is too large: {error}") from error
        try:
            kc.shell_channel.send(message)
            while True:
                try:
                    reply = run_sync(kc.shell_channel.get_msg)(timeout=LOOK)
                    if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                        return unpack(reply["content"], reply["buffers"])
                except Empty:
                    if not run_sync(self._km.is_alive)():
                        raise StudentFailure(self._stop()) from None
                if stopwatch.is_over:  # it reads files: most questions are answered before the first look
                    raise TimeoutError
        except (BadMessage, zmq.ZMQError) as error:
            self._stop()
            raise StudentFailure(Verdict.NONSENSE, note=str(error)) from error
        except WireError as error:
            raise StudentFailure(Verdict.NONSENSE, note=str(error)) from error

    # -- the kernel --------------------------------------------------------------------------------------------------

    def _interrupt(self) -> None:
        """Stop what the kernel is doing; a kernel that does not listen is killed."""
        run_sync(self._km.interrupt_kernel)()
        try:
            self._exchange(Packet({"ask": "ping"}), self._stopwatch(1))
        except (TimeoutError, StudentFailure):
            self._stop()

    def _ready(self) -> bool:
        """Have a kernel that has run the cells so far; False when it was restarted too often, or time is up."""
        if self._client is not None:
            return self._seconds_left > 0
        while self._restarts <= self.limits.restarts and self._seconds_left > 0:
            with self._counting("kernel"):
                self._start()
            self._restarts += 1
            if self._replay():
                return True
        return False

    @property
    def _seconds_left(self) -> float:
        """Of the time for the whole submission."""
        return self._deadline - time.monotonic()

    def _why_no_kernel(self) -> Verdict:
        """What to say of a cell or question once :meth:`_ready` is False."""
        return Verdict.KERNEL_DIED if self._seconds_left > 0 else Verdict.TIMEOUT

    def _replay(self) -> bool:
        for index, outcome in sorted(self.outcomes.items()):
            if outcome in (Verdict.PASSED, Verdict.ERROR) and self._client is not None:
                self.outcomes[index] = self._run(index)
        return self._client is not None

    def _start(self) -> None:
        self._km = JudgeKernelManager(kernel_spec_manager=_OneKernel(), kernel_name="student", transport="ipc")
        if self._protection == "bubblewrap":
            self._start_in_sandbox(self._km)
        else:
            self._start_unprotected(self._km)
        client = JudgeClient(
            self.notebook,
            self._km,
            self.limits.output,
            self._finished_training,
            startup_timeout=math.ceil(self.limits.start),
        )
        try:
            client.start_new_kernel_client()
        finally:
            self._client = client
        client.reset_execution_trackers()

    def _start_in_sandbox(self, km: JudgeKernelManager) -> None:
        km.provisioner = SandboxProvisioner(
            parent=km,
            sandbox=sandbox(self._library, self._files, self._device),
            limits=asdict(self.limits),
            environment=MACHINE_VARIABLES | self._environment(LIBRARY, CACHE, HOME),
            optimizers=any("optim" in cell.source for cell in self.notebook.cells),
        )
        km.listens = True
        run_sync(km.start_kernel)()

    def _start_unprotected(self, km: JudgeKernelManager) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="k"))
        work = self._scratch / "work"
        if self._files is not None:
            shutil.copytree(self._files, work)
        work.mkdir(exist_ok=True)
        km.connection_file = str(self._scratch / "c.json")
        km.ip = str(self._scratch / "c")
        kept = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment |= self._environment(str(self._library), str(cache_folder()), str(self._scratch))
        run_sync(km.start_kernel)(cwd=str(work), env=environment)

    def _environment(self, library: str, cache: str, home: str) -> dict[str, str]:
        """The kernel's environment variables."""
        environment = KERNEL_VARIABLES | {
            "PYTHONPATH": library,
            "HOME": home,
            "COURSE_LIB_LANG": language(),
            "COURSE_LIB_CACHE": cache,
            "COURSE_LIB_DEVICE": self._device,
        }
        if self.limits.threads:
            environment["OMP_NUM_THREADS"] = str(self.limits.threads)
        if self._device == "cpu":  # then torch says at once that there is no card; CUDA itself would complain
            environment |= {"CUDA_VISIBLE_DEVICES": "", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
        elif "CUDA_VISIBLE_DEVICES" in os.environ:
            environment["CUDA_VISIBLE_DEVICES"] = os.environ["CUDA_VISIBLE_DEVICES"]
        return environment

    def _stop(self) -> Verdict:
        """Kill the kernel with all that it started, and forget it; what it died of, as far as is known.

        Raises:
            GradingFault: if somebody else killed it: the system, for want of memory, or an administrator.
        """
        client, self._client = self._client, None
        km, self._km = self._km, None
        if client is not None and client.kc is not None:
            client.kc.stop_channels()
        over, killed = None, False
        if km is not None:
            died = km.has_kernel and not run_sync(km.is_alive)()
            if km.has_kernel:
                run_sync(km.shutdown_kernel)(now=True)
            over = getattr(km.provisioner, "over", None)
            killed = died and over is None and getattr(km.provisioner, "killed", False)
            km.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None
        if killed:
            raise GradingFault("A kernel was killed from outside, perhaps because the machine ran out of memory.")
        return over or Verdict.KERNEL_DIED
