"""The sandbox of the students' kernels: bubblewrap around a warm process that forks them.

Each grading worker has one sandbox, and another one that sees the graphics card where models are trained there. In a
sandbox there is no network, nothing of the machine but system libraries and the Python environment, all read-only, and
neither gradebook, source, hidden tests, references nor other submissions. The fork server
(:mod:`course_lib.kernel.fork_server`) runs there and forks each kernel into namespaces of its own.

Nothing of the host is writable in it, not even a folder for sockets: the kernel binds them in its own scratch, and the
judge reaches them through ``/proc/<pid>/root``.
"""

import atexit
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import KernelProvisionerBase
from traitlets import Any as AnyTrait

from ..authoring.errors import AssignmentError, GradingFault
from ..authoring.result import Verdict
from ..files import PACKAGE, cache_folder
from ..kernel import FIGURES
from ..kernel.fork_server import MAX_MESSAGE
from ..mnist import PACKED, unpack_mnist
from .task import Device, Limits, Protection, figures_folder

__all__ = [
    "CACHE",
    "HOME",
    "KERNEL_VARIABLES",
    "LIBRARY",
    "MACHINE_VARIABLES",
    "Sandbox",
    "SandboxProvisioner",
    "check_protection",
    "end_orphans",
    "graphics_card",
    "kernel_folder",
    "sandbox",
]

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/fonts", "/etc/localtime")
"""What a program needs of the machine. Of /etc, nothing that names its users or hosts."""

LIBRARY, CACHE, HOME, SOCKETS = "/library", "/mnist", "/tmp/home", "/tmp/kernel"
"""Paths inside: what kernels import, course_lib's cache, and in a kernel's own scratch its home and its sockets."""

KERNEL_VARIABLES = {
    "PYTHONHASHSEED": "0",
    "USER": "student",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # course_lib imports it before IPython can choose
}
"""Environment variables of every kernel, and of what it is forked from: the hash seed is that process's."""

MACHINE_VARIABLES = {
    "PATH": os.pathsep.join([os.path.dirname(sys.executable), "/usr/local/bin", "/usr/bin", "/bin"]),
    "LANG": "C.UTF-8",
    "TORCHINDUCTOR_CPP_CACHE_PRECOMPILE_HEADERS": "0",  # larger than a file may be
}
"""What a machine outside has, and a sandbox would not: a notebook may start ``python`` or a compiler, as
``torch.compile`` does, and read and write files with accents in them."""


BUBBLEWRAP = ("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv",
              "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/dev/shm", "--tmpfs", "/tmp")  # fmt: skip
"""How the command of every sandbox begins."""


def _prefixes() -> list[str]:
    """The folders of this Python environment that :data:`SYSTEM` does not hold, outer ones first."""
    return sorted(prefix for prefix in {sys.base_prefix, sys.prefix} if not prefix.startswith("/usr/"))


def _bubblewrap(*binds: tuple[Path, str], device: Device = "cpu") -> list[str]:
    """The command that runs what follows it in a sandbox; ``binds`` are shown there read-only."""
    command = list(BUBBLEWRAP)
    for place in SYSTEM:
        if os.path.islink(place):
            command += ["--symlink", os.readlink(place), place]
        else:
            command += ["--ro-bind-try", place, place]
    for source, target in [*((Path(prefix), prefix) for prefix in _prefixes()), *binds]:
        command += ["--ro-bind", str(source), target]
    if device == "cuda":
        for card in map(str, sorted(Path("/dev").glob("nvidia*"))):
            command += ["--dev-bind", card, card]
        for name in ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES"):
            if name in os.environ:
                command += ["--setenv", name, os.environ[name]]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/"]


def check_protection(secrets: Sequence[Path] = ()) -> None:
    """Run a program in a sandbox.

    Args:
        secrets: folders that must not be seen there.

    Raises:
        AssignmentError: if that does not work here; the message says what to do.
    """
    advice = "To grade notebooks you trust without a sandbox: c.JudgedAutograde.protection = 'none'"
    if shutil.which("bwrap") is None:
        raise AssignmentError(f"bubblewrap is missing. Install it: sudo apt install bubblewrap\n{advice}")
    for secret in secrets:
        for shown in (*SYSTEM, *_prefixes()):
            if secret.is_relative_to(Path(shown).resolve()):
                raise AssignmentError(
                    f"{secret} lies in {shown}, which students' code can read: move it, and install course_lib with\n"
                    "pip install --editable"
                )
    run = subprocess.run([*_bubblewrap(), "true"], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise AssignmentError(
            f"bubblewrap does not work here: {run.stderr.strip()}\n"
            "It needs user namespaces: sudo sysctl kernel.unprivileged_userns_clone=1 (in a container: run it with\n"
            f"--security-opt seccomp=unconfined --security-opt systempaths=unconfined).\n{advice}"
        )


def graphics_card(protection: Protection) -> str:
    """The name of the graphics card that kernels can compute on.

    Raises:
        GradingFault: if there is none, or it does not work there; the message says why.
    """
    program = "import torch; print(torch.zeros(1, device='cuda').sum().item(), torch.cuda.get_device_name())"
    command = [] if protection == "none" else _bubblewrap(device="cuda")
    command += [sys.executable, "-c", program]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=Limits.start)
    except subprocess.TimeoutExpired as error:
        raise GradingFault("it does not answer") from error
    if run.returncode != 0:
        raise GradingFault((run.stderr.strip() or f"status {run.returncode}").splitlines()[-1])
    return run.stdout.strip().removeprefix("0.0 ")


def kernel_folder(target: Path) -> Path:
    """Fill ``target`` with what a student's kernel imports: the modules of the student half, and course_lib.kernel."""
    package = target / "course_lib"
    (package / "kernel").mkdir(parents=True)
    for path in [*PACKAGE.glob("*.py"), *(PACKAGE / "kernel").glob("*.py")]:
        shutil.copy(path, package / path.relative_to(PACKAGE))
    shutil.copytree(PACKED, package / PACKED.name)  # load_mnist may be given a folder beside the notebook
    return target


class Sandbox:
    """A sandbox with a warm process in it.

    Args:
        library: the folder that kernels import course_lib from.
        files: the folder whose files stand beside the notebook while it runs.
        device: on ``cuda``, kernels see the machine's graphics cards.
    """

    def __init__(self, library: Path, files: Path | None, device: Device = "cpu") -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        binds = [(library, LIBRARY), (unpack_mnist(cache_folder()) / "MNIST", f"{CACHE}/MNIST")]
        binds.append((figures_folder(), f"{CACHE}/{FIGURES}"))
        if files is not None:
            binds.append((files, "/files"))
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the sandbox
        environment = KERNEL_VARIABLES | {"PYTHONPATH": LIBRARY, "COURSE_LIB_CACHE": CACHE} | MACHINE_VARIABLES
        environment |= {"HOME": "/tmp", "MPLCONFIGDIR": "/tmp/matplotlib", "PYTHONDONTWRITEBYTECODE": "1"}
        settings = [argument for name, value in environment.items() for argument in ("--setenv", name, value)]
        program = [sys.executable, "-m", "course_lib.kernel.fork_server", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                [*_bubblewrap(*binds, device=device), *settings, *program],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
            )
        self._ready = False
        self._kernels = 0

    @property
    def alive(self) -> bool:
        """Whether the warm process runs."""
        return self._process.poll() is None

    def _receive(self, seconds: float) -> tuple[dict[str, Any], int]:
        """A message, and the pid of the process that sent it, as the system tells it."""
        if not select.select([self._control], [], [], seconds)[0]:
            raise GradingFault("The sandbox does not answer.")
        data, ancillary, _, _ = self._control.recvmsg(MAX_MESSAGE, socket.CMSG_SPACE(12))
        if not data:
            self._process.wait()
            self._errors.seek(0)
            raise GradingFault(f"The sandbox ended.\n{self._errors.read()[-4000:].decode(errors='replace')}")
        pid = next((struct.unpack("3i", d[:12])[0] for _, kind, d in ancillary if kind == socket.SCM_CREDENTIALS), 0)
        return json.loads(data), pid

    def fork(
        self, connection: dict[str, Any], limits: dict[str, Any], environment: dict[str, str], optimizers: bool
    ) -> int:
        """Fork a kernel; its pid, as this process sees it."""
        if not self._ready:
            self._receive(limits["start"])
            self._ready = True
        self._kernels += 1
        request = {"id": self._kernels, "start": connection, "limits": limits, "environment": environment}
        request |= {"optimizers": optimizers, "keep": [prefix for prefix in _prefixes() if prefix.startswith("/tmp/")]}
        self._control.send(json.dumps(request).encode())
        while True:
            message, pid = self._receive(limits["start"])
            if message["id"] != self._kernels:
                continue  # the end of an earlier kernel
            if "started" in message:
                return pid
            raise GradingFault(f"A kernel could not be started in the sandbox: {message.get('failed', 'it ended')}")

    def ending(self) -> tuple[Verdict | None, bool]:
        """Once a kernel has ended: the limit that it went beyond, if any, and whether it was killed."""
        try:
            message, _ = self._receive(5)
        except (GradingFault, OSError):  # the sandbox went down with it
            return None, True
        return Verdict(message["ended"]) if message["ended"] else None, message["killed"]

    def close(self) -> None:
        """End the sandbox and all that is in it."""
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._errors.close()


def end_orphans() -> None:
    """End sandboxes that were killed in the moment of their start, or their judge: bubblewrap then waits for ever."""
    ours = "\0".join(BUBBLEWRAP).encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            command = (process / "cmdline").read_bytes()
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == "1" and command.startswith(ours):
                os.kill(int(process.name), signal.SIGKILL)


_sandboxes: dict[tuple[Path, Path | None, Device], Sandbox] = {}
"""This process's sandboxes."""


def sandbox(library: Path, files: Path | None, device: Device = "cpu") -> Sandbox:
    """The sandbox of this process for an assignment, started when there is none.

    Call it from the main thread: the sandbox ends with the thread that started it.
    """
    found = _sandboxes.get((library, files, device))
    if found is None or not found.alive:
        if found is not None:
            found.close()
        found = _sandboxes[library, files, device] = Sandbox(library, files, device)
    return found


@atexit.register
def _close_all() -> None:
    for one in _sandboxes.values():
        one.close()


class SandboxProvisioner(KernelProvisionerBase):
    """Starts a kernel by forking it in a sandbox, and ends it with all that it started."""

    sandbox = AnyTrait()
    limits = AnyTrait()
    environment = AnyTrait()
    optimizers = AnyTrait()
    """Whether torch's optimizers will be needed, as it seems."""
    pid = 0
    over: Verdict | None = None
    """The limit that the kernel went beyond."""
    killed = False
    """Whether a SIGKILL ended it. Its own code cannot send one: it is process 1 of its namespace."""
    _pidfd: int | None = None

    @property
    def has_process(self) -> bool:
        """Whether a kernel was started and not cleaned up."""
        return self._pidfd is not None

    async def poll(self) -> int | None:
        """None while the kernel runs."""
        if self._pidfd is None:
            return 0
        return 0 if select.select([self._pidfd], [], [], 0)[0] else None

    async def wait(self) -> int | None:
        """Wait for the kernel's end; then every process that it started is dead."""
        if self._pidfd is not None:
            select.select([self._pidfd], [], [])
            os.close(self._pidfd)
            self._pidfd = None
            self.over, self.killed = self.sandbox.ending()
        return 0

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel; to a dead one, nothing."""
        if self._pidfd is not None and await self.poll() is None:
            signal.pidfd_send_signal(self._pidfd, signum)

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel and all that it started."""
        await self.send_signal(signal.SIGKILL)
        if self._pidfd is not None:  # its manager would look again after 0.1 s only
            select.select([self._pidfd], [], [], 5)

    async def terminate(self, restart: bool = False) -> None:
        """The same: a student's code gets no chance to react."""
        await self.kill()

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """No command is run here."""
        return kwargs | {"cmd": []}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork the kernel; it has bound its sockets when this returns."""
        ports = {f"{name}_port": n for n, name in enumerate(("shell", "iopub", "stdin", "control", "hb"), 1)}
        key = self.parent.session.key.decode()
        info = {"transport": "ipc", "ip": SOCKETS, "key": key, "signature_scheme": "hmac-sha256"} | ports
        self.pid = self.sandbox.fork(info, self.limits, self.environment, self.optimizers)
        self._pidfd = os.pidfd_open(self.pid)
        self.connection_info = info | {"ip": f"/proc/{self.pid}/root{SOCKETS}", "key": self.parent.session.key}
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:
        """Nothing of a kernel is left but memory, which the system takes back."""
