"""Starts and stops the kernel of one student's notebook, in the sandbox or without protection."""

import math
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_core.utils import run_sync
from nbformat import NotebookNode

from ..files import cache_folder
from ..kernel.isolation import WORK
from ..kernel.wire import Packet
from ..messages import language
from ..results.errors import GraderError
from ..results.result import Verdict
from .kernel_client import JudgeClient, JudgeKernelManager
from .limits import Limits
from .outcomes import NeedsTraining
from .sandbox import CACHE, HOME, KERNEL_VARIABLES, LIBRARY, MACHINE_VARIABLES, sandbox_for
from .sandbox_provisioner import SandboxProvisioner
from .student_files import write_files
from .task import Device, Protection


class _OneKernel(KernelSpecManager):
    """Offers the student's kernel only, whatever kernels are installed and whichever one a submission names."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The student's kernel."""
        return KernelSpec(
            argv=[sys.executable, "-m", "course_lib.kernel", "-f", "{connection_file}"],
            display_name="student",
            language="python",
        )


@dataclass(frozen=True)
class KernelSettings:
    """What a kernel runs in."""

    library: Path
    """The folder made by :func:`course_lib.judge.sandbox.write_kernel_library`."""
    limits: Limits
    """What the student's code may use."""
    protection: Protection = "bubblewrap"
    """What the code runs in."""
    files: Path | None = None
    """Folder of the assignment's files, which are copied next to the notebook."""
    device: Device = "cpu"
    """On ``cpu``, the kernel sees no GPU, whatever the machine has."""
    seed: int = 0
    """Python's hash seed, which decides the order of sets."""
    student_files: Mapping[str, bytes] = field(default_factory=dict)
    """The student's own files by path, which are written next to the notebook, too."""


class KernelProcess:
    """One kernel and its client, from start to end.

    Args:
        notebook: the notebook to run; its cells get the outputs.
        settings: what the kernel runs in.
        answer_training: answers the kernel's training requests.

    Raises:
        GraderError: if the kernel does not start.
    """

    def __init__(
        self,
        notebook: NotebookNode,
        settings: KernelSettings,
        answer_training: Callable[[Packet], Packet | NeedsTraining],
    ) -> None:
        limits = settings.limits
        self._scratch: Path | None = None
        self.snapshots: dict[int, Path] = {}
        """The sockets of the snapshots that were taken, by the index of the cell."""
        self._manager = JudgeKernelManager(kernel_spec_manager=_OneKernel(), kernel_name="student", transport="ipc")
        self.client = JudgeClient(
            notebook, self._manager, limits.output, answer_training, startup_timeout=math.ceil(limits.start)
        )
        try:
            if settings.protection == "bubblewrap":
                self._manager.provisioner = SandboxProvisioner(
                    parent=self._manager,
                    sandbox=sandbox_for(settings.library, settings.files, settings.device, settings.seed),
                    limits=asdict(limits),
                    environment=MACHINE_VARIABLES | _environment(LIBRARY, CACHE, HOME, limits, settings.device),
                    optimizers=any("optim" in cell.source for cell in notebook.cells),
                )
                self._manager.binds_first = True
                run_sync(self._manager.start_kernel)()
            else:
                self._start_unprotected(settings)
            write_files(self.work, settings.student_files)  # before any of the student's code has run
            self.client.start_new_kernel_client()
        except BaseException:
            self.stop()
            raise
        self.client.reset_execution_trackers()

    def _start_unprotected(self, settings: KernelSettings) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="k"))
        work = self._scratch / "work"
        if settings.files is not None:
            shutil.copytree(settings.files, work)
        work.mkdir(exist_ok=True)
        self._manager.connection_file = str(self._scratch / "c.json")
        self._manager.ip = str(self._scratch / "c")
        kept = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment |= _environment(
            str(settings.library), str(cache_folder()), str(self._scratch), settings.limits, settings.device
        )
        environment["PYTHONHASHSEED"] = str(settings.seed)
        run_sync(self._manager.start_kernel)(cwd=str(work), env=environment)

    @property
    def work(self) -> Path:
        """The notebook's folder, as the judge sees it."""
        return Path(f"/proc/{self.pid}/root{WORK}") if self._scratch is None else self._scratch / "work"

    @property
    def pid(self) -> int:
        """The kernel's process."""
        return int(self._manager.provisioner.pid)

    def snapshot_paths(self, index: int) -> tuple[Path, str]:
        """The path of a snapshot's socket as the judge sees it, and as the kernel does."""
        if self._scratch is not None:
            host_path = self._scratch / f"s{index}"
            return host_path, str(host_path)
        # the kernel has its own file system at /tmp: student code cannot replace it with a link
        return Path(f"/proc/{self.pid}/root/tmp/s{index}"), f"/tmp/s{index}"

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return bool(run_sync(self._manager.is_alive)())

    def interrupt(self) -> None:
        """Send the kernel an interrupt."""
        run_sync(self._manager.interrupt_kernel)()

    def stop(self) -> Verdict:
        """Kill the kernel and everything that it started.

        Returns:
            Why it had died, if known.

        Raises:
            GraderError: if it was killed from outside: by the system, for lack of memory, or by an administrator.
        """
        if self.client.kc is not None:
            self.client.kc.stop_channels()
        died = self._manager.has_kernel and not self.alive
        if self._manager.has_kernel:
            run_sync(self._manager.shutdown_kernel)(now=True)
        exceeded_limit: Verdict | None = getattr(self._manager.provisioner, "exceeded_limit", None)
        killed = died and exceeded_limit is None and getattr(self._manager.provisioner, "killed", False)
        self._manager.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
        if killed:
            raise GraderError("A kernel was killed from outside, perhaps because the machine ran out of memory.")
        return exceeded_limit or Verdict.KERNEL_DIED


def _environment(library: str, cache: str, home: str, limits: Limits, device: Device) -> dict[str, str]:
    """The kernel's environment variables."""
    environment = KERNEL_VARIABLES | {
        "PYTHONPATH": library,
        "HOME": home,
        "COURSE_LIB_LANG": language(),
        "COURSE_LIB_CACHE": cache,
        "COURSE_LIB_DEVICE": device,
    }
    if limits.threads:
        environment["OMP_NUM_THREADS"] = str(limits.threads)
    if device == "cpu":  # torch then says at once that there is no card; CUDA itself would print an error
        environment |= {"CUDA_VISIBLE_DEVICES": "", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
    elif "CUDA_VISIBLE_DEVICES" in os.environ:
        environment["CUDA_VISIBLE_DEVICES"] = os.environ["CUDA_VISIBLE_DEVICES"]
    return environment
