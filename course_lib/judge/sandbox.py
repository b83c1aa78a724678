"""The sandbox of the students' kernels: a bubblewrap container with a fork server in it.

Each grading worker has one sandbox, and a second one that sees the GPU if models are trained there. A sandbox
has no network. From the machine, it shows system libraries and the Python environment, read-only. It does not show the
gradebook, source notebooks, hidden tests, reference answers or other submissions. The fork server
(:mod:`course_lib.kernel.fork_server`) runs in the sandbox and forks each kernel into its own namespaces.

Kernels import course_lib from a folder that holds only the student half (:func:`write_kernel_library`). If course_lib
is installed in the Python environment, an empty folder is mounted over that copy, because it also holds the judge, the
reference answers and the example's hidden tests.

No folder of the host is writable in the sandbox, not even one for sockets: a kernel binds its sockets in its own
scratch folder, and the judge reaches them through ``/proc/<pid>/root``.
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

from ..files import PACKAGE, cache_folder
from ..kernel import FIGURES
from ..kernel.fork_server import MAX_MESSAGE
from ..kernel.preload import PRELOAD
from ..mnist import PACKED, unpack_mnist
from ..results.errors import AssignmentError, GraderError
from ..results.result import Verdict
from .limits import Limits
from .task import Device, Protection, figures_folder

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/fonts", "/etc/localtime")
"""What programs need from the machine. From /etc, nothing that names users or hosts."""

LIBRARY, CACHE, HOME, SOCKETS = "/library", "/mnist", "/tmp/home", "/tmp/kernel"
"""Paths in the sandbox: course_lib, its cache, and, in a kernel's own scratch folder, its home and its sockets."""

KERNEL_VARIABLES = {
    "PYTHONHASHSEED": "0",
    "USER": "student",
    "NBGRADER_EXECUTION": "autograde",  # nbgrader sets it, and notebooks may ask for it
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # course_lib imports pyplot before IPython can choose
}
"""Environment variables of every kernel and of the fork server, which fixes the hash seed of its kernels."""

MACHINE_VARIABLES = {
    "PATH": os.pathsep.join([os.path.dirname(sys.executable), "/usr/local/bin", "/usr/bin", "/bin"]),
    "LANG": "C.UTF-8",
    "TORCHINDUCTOR_CPP_CACHE_PRECOMPILE_HEADERS": "0",  # these files exceed the limit on file size
}
"""Environment variables that a sandbox lacks. A notebook needs them to start ``python`` or a compiler (as
``torch.compile`` does), and to read and write files with accents in their names or text."""


DEFAULT_MODULES = ("course_lib", "course_lib.mnist", "course_lib.kernel.responder")
"""What a kernel has imported if nothing is known about the notebooks."""


BUBBLEWRAP = ("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv",
              "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/dev/shm", "--tmpfs", "/tmp")  # fmt: skip
"""The first arguments of every sandbox's command."""


def environment_folders() -> list[str]:
    """The folders of this Python environment that :data:`SYSTEM` does not contain, outermost first."""
    return sorted(prefix for prefix in {sys.base_prefix, sys.prefix} if not prefix.startswith("/usr/"))


def _paths_in_sandbox(folder: Path) -> list[str]:
    """The paths under which a folder of the host is visible in every sandbox; empty if it is hidden."""
    real, found = folder.resolve(), []
    for shown in [*SYSTEM, *environment_folders()]:
        if not os.path.islink(shown) and real.is_relative_to(Path(shown).resolve()):
            found.append(str(Path(shown, real.relative_to(Path(shown).resolve()))))
    return list(dict.fromkeys(found))


def bubblewrap(*binds: tuple[Path, str], device: Device = "cpu") -> list[str]:
    """The start of a command line: the command that follows it runs in a sandbox.

    Args:
        binds: folders of the host and the paths under which they appear in the sandbox, read-only.
        device: ``cuda`` adds the machine's GPUs.
    """
    command = list(BUBBLEWRAP)
    for path in SYSTEM:
        if os.path.islink(path):
            command += ["--symlink", os.readlink(path), path]
        else:
            command += ["--ro-bind-try", path, path]
    for prefix in environment_folders():
        command += ["--ro-bind", prefix, prefix]
    for installed in _paths_in_sandbox(PACKAGE):  # hides the judge and all answers
        command += ["--tmpfs", installed, "--remount-ro", installed]
    for source, target in binds:
        command += ["--ro-bind", str(source), target]
    if device == "cuda":
        for card in map(str, sorted(Path("/dev").glob("nvidia*"))):
            command += ["--dev-bind", card, card]
        for name in ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES"):
            if name in os.environ:
                command += ["--setenv", name, os.environ[name]]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/"]


def check_protection(secrets: Sequence[Path] = ()) -> None:
    """Try the sandbox, and check that it hides what students must not read.

    Args:
        secrets: folders that it must not show, such as the course's folder.

    Raises:
        AssignmentError: if bubblewrap does not work, or a secret is visible; the message says how to fix it.
    """
    advice = "To grade notebooks you trust without a sandbox: c.JudgedAutograde.protection = 'none'"
    if shutil.which("bwrap") is None:
        raise AssignmentError(f"bubblewrap is missing. Install it: sudo apt install bubblewrap\n{advice}")
    clone = PACKAGE.parent
    if (clone / "grader_tests").is_dir():  # an editable install: the sandbox hides only course_lib
        secrets = [*secrets, clone]
    for secret in secrets:
        if visible := _paths_in_sandbox(secret):
            raise AssignmentError(
                f"{secret} can be read by students' code, because the sandbox shows the Python environment and the "
                f"system's folders ({visible[0]}).\nMove {secret.name} to another place."
            )
    run = subprocess.run([*bubblewrap(), "true"], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise AssignmentError(
            f"bubblewrap does not work here: {run.stderr.strip()}\n"
            "It needs user namespaces: sudo sysctl kernel.unprivileged_userns_clone=1 (in a container: run it with\n"
            f"--security-opt seccomp=unconfined --security-opt systempaths=unconfined).\n{advice}"
        )


def gpu_name(protection: Protection) -> str:
    """The name of the GPU that kernels can compute on.

    Args:
        protection: of the kernels.

    Raises:
        GraderError: if there is no card, or it does not work under this protection; the message says why.
    """
    program = "import torch; print(torch.zeros(1, device='cuda').sum().item(), torch.cuda.get_device_name())"
    command = [] if protection == "none" else bubblewrap(device="cuda")
    command += [sys.executable, "-c", program]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=Limits.start)
    except subprocess.TimeoutExpired as error:
        raise GraderError("the GPU does not answer") from error
    if run.returncode != 0:
        raise GraderError((run.stderr.strip() or f"Python ended with status {run.returncode}").splitlines()[-1])
    return run.stdout.strip().removeprefix("0.0 ")


def write_kernel_library(target: Path, modules: Sequence[str] = DEFAULT_MODULES) -> Path:
    """Fill ``target`` with the course_lib that a student's kernel imports: the student half and course_lib.kernel.

    Args:
        target: the folder.
        modules: what the notebooks import; the fork server imports it, so that no kernel has to.
    """
    package = target / "course_lib"
    (package / "kernel").mkdir(parents=True)
    for path in [*PACKAGE.glob("*.py"), *(PACKAGE / "kernel").glob("*.py")]:
        shutil.copy(path, package / path.relative_to(PACKAGE))
    (target / PRELOAD).write_text("\n".join(modules), encoding="utf-8")
    shutil.copytree(PACKED, package / PACKED.name)  # a notebook may call load_mnist with a folder of its own
    return target


class Sandbox:
    """A sandbox with a fork server in it.

    Args:
        library: the folder that kernels import course_lib from.
        files: the folder whose files are copied next to the notebook before it runs.
        device: on ``cuda``, kernels see the machine's GPUs.
        seed: Python's hash seed in all its kernels.
    """

    def __init__(self, library: Path, files: Path | None, device: Device = "cpu", seed: int = 0) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        binds = [(library, LIBRARY), (unpack_mnist(cache_folder()) / "MNIST", f"{CACHE}/MNIST")]
        binds.append((figures_folder(), f"{CACHE}/{FIGURES}"))
        if files is not None:
            binds.append((files, "/files"))
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the sandbox
        environment = KERNEL_VARIABLES | {"PYTHONPATH": LIBRARY, "COURSE_LIB_CACHE": CACHE} | MACHINE_VARIABLES
        environment |= {"HOME": "/tmp", "MPLCONFIGDIR": "/tmp/matplotlib", "PYTHONDONTWRITEBYTECODE": "1"}
        environment["PYTHONHASHSEED"] = str(seed)
        settings = [argument for name, value in environment.items() for argument in ("--setenv", name, value)]
        program = [sys.executable, "-m", "course_lib.kernel.fork_server", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                [*bubblewrap(*binds, device=device), *settings, *program],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
            )
        self._ready = False
        self._kernels = 0

    @property
    def alive(self) -> bool:
        """Whether the fork server runs."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """The pid of bubblewrap."""
        return self._process.pid

    def receive(self, seconds: float) -> tuple[dict[str, Any], int]:
        """The next message, and the pid of its sender as the system reports it.

        Raises:
            GraderError: if no message comes within ``seconds``, or the sandbox has ended.
        """
        if not select.select([self._control], [], [], seconds)[0]:
            raise GraderError("The sandbox does not answer.")
        data, ancillary, _, _ = self._control.recvmsg(MAX_MESSAGE, socket.CMSG_SPACE(12))
        if not data:
            self._process.wait()
            self._errors.seek(0)
            raise GraderError(f"The sandbox ended.\n{self._errors.read()[-4000:].decode(errors='replace')}")
        pid = next((struct.unpack("3i", d[:12])[0] for _, kind, d in ancillary if kind == socket.SCM_CREDENTIALS), 0)
        return json.loads(data), pid

    def wait_until_ready(self, seconds: float) -> None:
        """Wait until the fork server has imported its packages.

        Raises:
            GraderError: if this takes longer than ``seconds``, or the sandbox has ended.
        """
        if not self._ready:
            self.receive(seconds)
            self._ready = True

    def fork(
        self, connection: dict[str, Any], limits: dict[str, Any], environment: dict[str, str], optimizers: bool
    ) -> int:
        """Fork a kernel.

        Args:
            connection: the kernel's connection file.
            limits: the fields of :class:`course_lib.judge.limits.Limits`.
            environment: the kernel's environment variables.
            optimizers: whether the notebook seems to use torch's optimizers, which take time to import.

        Returns:
            The kernel's pid in this process's namespace.

        Raises:
            GraderError: if the kernel does not start.
        """
        self.wait_until_ready(limits["start"])
        self._kernels += 1
        request = {"id": self._kernels, "start": connection, "limits": limits, "environment": environment}
        request |= {
            "optimizers": optimizers,
            "keep": [prefix for prefix in environment_folders() if prefix.startswith("/tmp/")],
        }
        self._control.send(json.dumps(request).encode())
        while True:
            message, pid = self.receive(limits["start"])
            if message["id"] != self._kernels:
                continue  # about an earlier kernel, which has ended
            if "started" in message:
                return pid
            raise GraderError(f"A kernel could not be started in the sandbox: {message.get('failed', 'it ended')}")

    def wait_for_end(self) -> tuple[Verdict | None, bool]:
        """The limit that the ended kernel exceeded, if any, and whether a signal killed it."""
        try:
            message, _ = self.receive(5)
        except (GraderError, OSError):  # the sandbox ended too
            return None, True
        return Verdict(message["ended"]) if message["ended"] else None, message["killed"]

    def close(self) -> None:
        """End the sandbox and every process in it."""
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._errors.close()


def end_orphans() -> None:
    """End sandboxes that have lost their judge.

    If a sandbox or its judge is killed while the sandbox starts, bubblewrap's inner process waits forever.
    """
    ours = "\0".join(BUBBLEWRAP).encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            command = (process / "cmdline").read_bytes()
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == "1" and command.startswith(ours):
                os.kill(int(process.name), signal.SIGKILL)


_sandboxes: dict[tuple[Path, Path | None, Device, int], Sandbox] = {}
"""The sandboxes of this process."""


def sandbox_for(library: Path, files: Path | None, device: Device = "cpu", seed: int = 0) -> Sandbox:
    """The sandbox of this process for an assignment; it is started if it does not run yet.

    Call this function from the main thread: a sandbox ends with the thread that started it.
    """
    found = _sandboxes.get((library, files, device, seed))
    if found is None or not found.alive:
        if found is not None:
            found.close()
        found = _sandboxes[library, files, device, seed] = Sandbox(library, files, device, seed)
    return found


@atexit.register
def _close_all() -> None:
    for one in _sandboxes.values():
        one.close()
