"""One notebook in one student's kernel: run its cells, ask it questions, outlive what its code does.

The kernel is another process, started from a folder that holds the student half of course_lib and what answers
questions, and nothing of the judge. A cell or a question that takes too long is interrupted; when that does not help,
or when the kernel dies, a new kernel is started and the cells run so far are run again, without the one at fault.
"""

import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from types import TracebackType
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output

from ..kernel.wire import Packet, WireError, pack, unpack
from ..messages import language, say
from .release import PACKAGE
from .result import Verdict
from .student import StudentFailure

__all__ = ["Limits", "Session", "kernel_folder"]


@dataclass(frozen=True)
class Limits:
    """How long a student's code may take, in seconds."""

    cell: float = 30
    """One cell, training cells excepted."""
    training: float = 1200
    """One training cell: a given cell that calls the training loop."""
    question: float = 10
    """One question of a hidden test."""
    start: float = 120
    """The start of a kernel."""
    restarts: int = 10
    """How often a kernel that died or hangs is started again for one notebook."""
    failures: int = 2
    """How many questions about one name in a grade cell may kill the kernel or run out of time; no more are asked."""
    threads: int = 0
    """Threads for torch in a kernel; 0 leaves the choice to torch."""


class _OneKernel(KernelSpecManager):
    """Offers the student's kernel only: no kernel installed on the machine, or named by a submission, is used."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The student's kernel, whatever the name."""
        return KernelSpec(
            argv=[sys.executable, "-m", "course_lib.kernel", "-f", "{connection_file}"],
            display_name="student",
            language="python",
        )


def kernel_folder(target: Path) -> Path:
    """Fill ``target`` with what a student's kernel imports: the modules of the student half, and course_lib.kernel."""
    package = target / "course_lib"
    (package / "kernel").mkdir(parents=True)
    for path in [*PACKAGE.glob("*.py"), *(PACKAGE / "kernel").glob("*.py")]:
        shutil.copy(path, package / path.relative_to(PACKAGE))
    return target


class Session:
    """Runs one notebook.

    Args:
        notebook: its code cells get outputs as they run.
        library: the folder made by :func:`kernel_folder`.
        limits: how long things may take.
        environment: more environment variables for the kernel.
        files: files of the assignment that the notebook may read, copied beside it.
    """

    def __init__(
        self,
        notebook: NotebookNode,
        library: Path,
        limits: Limits,
        environment: dict[str, str] | None = None,
        files: Path | None = None,
    ) -> None:
        self.notebook = notebook
        self.limits = limits
        self.outcomes: dict[int, Verdict] = {}
        """What became of the cells run so far, by index: passed, error, timeout, kernel died."""
        self._environment = environment or {}
        self._library = library
        self._files = files
        self._restarts = 0
        self._client: NotebookClient | None = None
        self._km: Any = None
        self._scratch: Path | None = None

    def __enter__(self) -> "Session":
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
        cell = self.notebook.cells[index]
        if not self._ready():
            return Verdict.KERNEL_DIED
        verdict = self._run(index)
        if verdict in (Verdict.TIMEOUT, Verdict.KERNEL_DIED):
            cell.outputs.append(new_output("error", ename=verdict.value, evalue="", traceback=[say(f"hint.{verdict}")]))
        return verdict

    def _run(self, index: int) -> Verdict:
        """Run one cell in the kernel that is there."""
        assert self._client is not None
        cell = self.notebook.cells[index]
        self._client.timeout = self.limits.training if _is_training(cell) else self.limits.cell
        try:
            self._ask(Packet({"ask": "seed", "seed": index}), self.limits.question)
            self._client.execute_cell(cell, index)
        except CellTimeoutError:
            self._interrupt()
            return Verdict.TIMEOUT
        except DeadKernelError:
            self._stop()
            return Verdict.KERNEL_DIED
        except StudentFailure as failure:
            return failure.verdict
        return Verdict.ERROR if any(o.output_type == "error" for o in cell.outputs) else Verdict.PASSED

    # -- questions ---------------------------------------------------------------------------------------------------

    def ask(self, question: Packet) -> Packet:
        """The kernel's answer.

        Raises:
            StudentFailure: when the kernel dies over it, or takes too long, or answers with rubbish.
        """
        if not self._ready():
            raise StudentFailure(Verdict.KERNEL_DIED)
        return self._ask(question, self.limits.question)

    def _ask(self, question: Packet, seconds: float) -> Packet:
        assert self._client is not None
        kc: Any = self._client.kc
        content, data = pack(question)
        message = kc.session.msg("judge_request", content)
        message["buffers"] = [data]
        kc.shell_channel.send(message)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                reply = run_sync(kc.shell_channel.get_msg)(timeout=0.5)
            except Empty:
                if not run_sync(self._km.is_alive)():
                    self._stop()
                    raise StudentFailure(Verdict.KERNEL_DIED) from None
                continue
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                try:
                    return unpack(reply["content"], reply["buffers"])
                except WireError as error:
                    raise StudentFailure(Verdict.FAILED, note=str(error)) from error
        self._interrupt()
        raise StudentFailure(Verdict.TIMEOUT)

    # -- the kernel --------------------------------------------------------------------------------------------------

    def _interrupt(self) -> None:
        """Stop what the kernel is doing; a kernel that does not listen is killed."""
        run_sync(self._km.interrupt_kernel)()
        try:
            if self._client is not None:
                self._ping()
        except StudentFailure:
            self._stop()

    def _ping(self) -> None:
        """Raise StudentFailure when the kernel does not answer within seconds."""
        assert self._client is not None
        kc: Any = self._client.kc
        message = kc.session.msg("judge_request", {"ask": "ping"})
        kc.shell_channel.send(message)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                reply = run_sync(kc.shell_channel.get_msg)(timeout=0.5)
            except Empty:
                continue
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return
        raise StudentFailure(Verdict.TIMEOUT)

    def _ready(self) -> bool:
        """Have a kernel that has run the cells so far; False when it was restarted too often."""
        if self._client is not None:
            return True
        while self._restarts <= self.limits.restarts:
            self._start()
            self._restarts += 1
            if self._replay():
                return True
        return False

    def _replay(self) -> bool:
        for index, outcome in sorted(self.outcomes.items()):
            if outcome in (Verdict.PASSED, Verdict.ERROR) and self._client is not None:
                self.outcomes[index] = self._run(index)
        return self._client is not None

    def _start(self) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="k"))
        work = self._scratch / "work"
        if self._files is not None:
            shutil.copytree(self._files, work, ignore=shutil.ignore_patterns("*.ipynb", ".*"))
        work.mkdir(exist_ok=True)
        km = AsyncKernelManager(kernel_spec_manager=_OneKernel(), kernel_name="student", transport="ipc")
        km.connection_file = str(self._scratch / "c.json")
        km.ip = str(self._scratch / "c")
        self._km = km
        run_sync(km.start_kernel)(cwd=str(work), env=self._kernel_environment())
        client = NotebookClient(self.notebook, km=km, allow_errors=True, startup_timeout=int(self.limits.start))
        client.start_new_kernel_client()
        client.reset_execution_trackers()
        self._client = client

    def _kernel_environment(self) -> dict[str, str]:
        assert self._scratch is not None
        kept = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment |= {
            "PYTHONPATH": str(self._library),
            "PYTHONHASHSEED": "0",
            "HOME": str(self._scratch),
            "IPYTHONDIR": str(self._scratch / "ipython"),
            "COURSE_LIB_LANG": language(),
        }
        if self.limits.threads:
            environment["OMP_NUM_THREADS"] = str(self.limits.threads)
        return environment | self._environment

    def _stop(self) -> None:
        """Kill the kernel and forget it."""
        client, self._client = self._client, None
        if client is not None and client.kc is not None:
            client.kc.stop_channels()
        if self._km is not None and self._km.has_kernel:
            run_sync(self._km.shutdown_kernel)(now=True)
        self._km = None
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None


def _is_training(cell: NotebookNode) -> bool:
    """A given cell that trains a model. Students cannot give their own cells more time: the id is the skeleton's."""
    meta = cell.metadata.get("nbgrader", {})
    return bool(meta.get("locked")) and str(meta.get("grade_id", "")).startswith("train")
