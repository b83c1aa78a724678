"""The warm process of a grading worker: everything imported, it forks one kernel after another.

It runs inside a sandbox (:mod:`course_lib.judge.sandbox`) that hides the machine. Each kernel gets namespaces of its
own inside that one, so that it can reach neither this process nor what another kernel left: users, processes, mounts,
System V IPC and network. The kernel is process 1 of its namespace: when it ends, the system kills all that it started.

Protocol, JSON packets over the control socket, one kernel at a time::

    judge to warm   {"id": <number>, "start": <connection info>, "limits": {...}, "environment": {...},
                     "optimizers": bool, "keep": [<folder below /tmp>]}
    warm to judge   {"ready": true}                  once, after the imports
    kernel to judge {"id": <number>, "started": true}    the judge reads the sender's pid off the socket
    one of both     {"id": <number>, "failed": <text>}   there is no kernel
    warm to judge   {"id": <number>, "ended": <verdict or "">, "killed": bool}

At the end of a kernel, the verdict is empty unless it went beyond a limit, and ``killed`` says whether a SIGKILL ended
it: its own code cannot send it one.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from .seccomp import forbid_system_calls

__all__ = ["importing", "main"]

# constants of Linux that Python has no names for
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = (1 << n for n in (17, 27, 28, 29, 30))
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = (1 << n for n in (12, 14, 18))
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
CAPABILITIES_VERSION_3 = 0x20080522

STUDENT = 1000
"""User and group id of the student's code, inside its namespace."""

PERIOD = 0.1
"""Seconds between two looks at what a kernel uses."""

MAX_MESSAGE = 65536

FILES = 256
"""Files and sockets that a process may have open."""

SOCKET_BUFFER = 3 * 2**18
"""Bytes of the system's memory that a socket and the two connections that may wait at it hold, which count for no
process: each open file counts so."""

THREADS = 1000
"""Threads and processes of a kernel, those that have ended included, until the first use of a graphics card."""

SIGNALS = 1000
"""Signals that may wait: a user may have so many, on the machine as here."""

TERMINALS = 16
"""Pseudo-terminals of a kernel, which ``!ls`` needs: a machine has some thousands for all."""

INODES = 20_000
"""Files, folders and links in each of a kernel's writable folders: an empty one takes memory, too."""

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


@dataclass
class _Kernel:
    id: int
    pid: int
    pidfd: int
    """Readable once the kernel has ended."""
    memory: int
    tasks: int
    shared: int | None = None
    """Bytes that all processes of the machine shared at its start, where a card lets it have such memory unseen."""
    verdict: str = ""


def main() -> NoReturn:
    """Serve the control socket whose file descriptor is the program's argument, until the judge closes it."""
    control = socket.socket(fileno=int(sys.argv[1]))
    unlimited = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (unlimited, unlimited))  # the judge's own limit is not for kernels
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
    with importing():
        _prepare()
    control.send(json.dumps({"ready": True}).encode())
    kernel: _Kernel | None = None
    while True:
        watched: list[Any] = [control] if kernel is None else [control, kernel.pidfd]
        ready, _, _ = select.select(watched, [], [], None if kernel is None else PERIOD)
        if kernel is not None:
            kernel.verdict = _beyond(kernel)
            if kernel.verdict or ready:
                _end(kernel, control)
                kernel = None
        if control in ready:
            request = control.recv(MAX_MESSAGE)
            if not request:
                os._exit(0)  # the judge is gone; the sandbox ends with this process, and all kernels with it
            message = json.loads(request)
            if message["optimizers"] and "torch._dynamo" not in sys.modules:
                with importing():  # no kernel runs now
                    importlib.import_module("torch._dynamo")  # each would import it at its first optimizer: 0.8 s
            kernel = _fork(message, control)


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """For what stays as long as the process: to look for garbage meanwhile takes a sixth of the time.

    Later it is not looked through either: it stays shared with the kernels that are forked.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def _prepare() -> None:
    """Import what a notebook needs. No thread may start here: a forked copy of it would be missing its locks.

    Not matplotlib_inline: it connects itself to the notebook, to show pyplot's figures, as it is imported.
    """
    from .app import forget_other_course_libs

    forget_other_course_libs()

    for name in (
        "matplotlib.pyplot", "numpy.ctypeslib", "tornado.platform.asyncio",
        "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.logger", "IPython.core.oinspect",
        "IPython.extensions.storemagic", "ipykernel.debugger", "zmq.utils.garbage",
    ):  # fmt: skip
        importlib.import_module(name)
    import torch
    from IPython.core.pylabtools import print_figure
    from matplotlib.figure import Figure

    from course_lib import mnist, training

    torch.set_num_threads(1)
    figure = Figure()
    figure.add_subplot(title="fonts and encoders are loaded by their first use")
    print_figure(figure)
    mnist.waiting.append(mnist.load_mnist())
    training.keep_pages()
    gc.collect()


# -- limits -----------------------------------------------------------------------------------------------------------


def _beyond(kernel: _Kernel) -> str:
    """The verdict when the kernel, with all that it started, uses more than it may; else empty."""
    processes = [p for p in Path("/proc").iterdir() if p.name.isdecimal() and int(p.name) not in (1, os.getpid())]
    used = [_numbers(process / "status") for process in processes]
    if _total(used, "Threads") > kernel.tasks:
        return "too_many_processes"
    if kernel.shared is not None and _shared() - kernel.shared > kernel.memory:
        return "out_of_memory"
    # first what each process has in memory, which counts twice what two of them share; only then, slower, the truth
    system = _total(used, "VmPTE") * 1024 + sum(map(_open_files, processes)) * SOCKET_BUFFER
    if _total(used, "RssAnon", "RssShmem") * 1024 + system <= kernel.memory:
        return ""
    shared = [_numbers(process / "smaps_rollup") for process in processes]
    for process, numbers in zip(processes, shared, strict=True):
        if "Pss_Anon" not in numbers:  # it hides: then all of it counts; or it has ended meanwhile, and has none
            numbers["Pss_Anon"] = _total([_numbers(process / "status")], "RssAnon", "RssShmem")
    return "out_of_memory" if _total(shared, "Pss_Anon", "Pss_Shmem") * 1024 + system > kernel.memory else ""


def _shared() -> int:
    """Bytes of memory that all processes of the machine share."""
    return _numbers(Path("/proc/meminfo")).get("Shmem", 0) * 1024


def _open_files(process: Path) -> int:
    try:
        files = os.listdir(process / "fd")
        return len(files) + sum(_watched(f"{process}/fd/{name}") for name in files)
    except FileNotFoundError:
        return 0
    except OSError:  # it hides
        return FILES


def _watched(path: str) -> int:
    """For an epoll file, the kB of the list of what it watches: a user may have so many, on the machine as here."""
    try:
        if os.readlink(path) != "anon_inode:[eventpoll]":
            return 0
        with open(path.replace("/fd/", "/fdinfo/"), "rb") as file:
            return len(file.read(SOCKET_BUFFER)) >> 10
    except OSError:
        return 0


def _numbers(path: Path) -> dict[str, int]:
    """The fields of a file in /proc that are a number, or one of kB; none for a process that has ended."""
    try:
        text = path.read_text(errors="replace")  # the name of a process is any bytes
        fields = [line.split(":", 1) for line in text.splitlines() if ":" in line]
    except OSError:
        return {}
    words = {name: value.split() for name, value in fields}
    return {name: int(value[0]) for name, value in words.items() if value and value[0].isdecimal()}


def _total(processes: list[dict[str, int]], *names: str) -> int:
    return sum(process.get(name, 0) for process in processes for name in names)


def _end(kernel: _Kernel, control: socket.socket) -> None:
    """Make sure that the kernel and all that it started are dead, and tell the judge."""
    signal.pidfd_send_signal(kernel.pidfd, signal.SIGKILL)
    _, status = os.waitpid(kernel.pid, 0)  # returns when the last process of its namespace is dead
    os.close(kernel.pidfd)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    control.send(json.dumps({"id": kernel.id, "ended": kernel.verdict, "killed": killed}).encode())


# -- a kernel ---------------------------------------------------------------------------------------------------------


def _fork(request: dict[str, Any], control: socket.socket) -> _Kernel | None:
    """Fork a kernel into namespaces of its own.

    Who enters a process namespace stays outside, only its children are in. So a first child makes the namespaces and
    forks the kernel; then it ends, before any student code runs, and the kernel becomes a child of this process.
    """
    reading, writing = os.pipe()
    first = os.fork()
    if first == 0:
        try:
            os.close(reading)
            uid, gid = os.getuid(), os.getgid()
            _check(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET))
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{STUDENT} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{STUDENT} {gid} 1")
            parent_is_there, parent_ends = os.pipe()
            kernel = os.fork()
            if kernel:
                os.write(writing, str(kernel).encode())
                os._exit(0)
            os.close(writing)
            os.close(parent_ends)
            os.read(parent_is_there, 1)
            _become_kernel(request, control)
        except BaseException as error:
            failure = f"{type(error).__name__}: {error}"[:1000]
            control.send(json.dumps({"id": request["id"], "failed": failure}).encode())
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        pid = pipe.read()
    _, status = os.waitpid(first, 0)
    if not pid:
        if os.WIFSIGNALED(status):  # otherwise it has said why
            control.send(json.dumps({"id": request["id"], "failed": "killed"}).encode())
        return None
    limits = request["limits"]
    shared = _shared() if _has_card() else None
    return _Kernel(request["id"], int(pid), os.pidfd_open(int(pid)), limits["memory"], limits["tasks"], shared)


def _become_kernel(request: dict[str, Any], control: socket.socket) -> None:
    """Furnish the namespaces, give up all rights, and be a kernel until the end."""
    limits = request["limits"]
    os.setsid()  # a signal to "my process group" must not reach the parent
    _close_the_room(limits, request["keep"])
    work = Path("/tmp/work")
    if Path("/files").is_dir():
        shutil.copytree("/files", work)
    work.mkdir(exist_ok=True)
    os.chdir(work)
    os.environ.clear()
    os.environ.update(request["environment"])
    Path(os.environ["HOME"]).mkdir()

    import torch

    if limits["threads"]:
        torch.set_num_threads(limits["threads"])
    from course_lib import set_language

    from .app import kernel_app

    set_language(os.environ["COURSE_LIB_LANG"])  # the module was imported before this was known
    connection = Path(os.environ["HOME"], "connection.json")
    connection.write_text(json.dumps(request["start"]))
    sys.argv = ["kernel"]
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.closerange(3, control.fileno())
    os.closerange(control.fileno() + 1, 4096)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    app = kernel_app()
    app.initialize(["-f", str(connection)])
    control.send(json.dumps({"id": request["id"], "started": True}).encode())
    control.close()
    app.start()
    os._exit(0)


def _close_the_room(limits: dict[str, Any], keep: list[str]) -> None:
    """Private scratch, nothing else to write to, no new namespaces, no capabilities.

    Args:
        limits: the fields of :class:`course_lib.judge.task.Limits`.
        keep: folders below /tmp that stay visible there: a Python environment may be one.
    """
    scratch = f"size={limits['scratch']},mode=0700,nr_inodes={INODES},uid={STUDENT},gid={STUDENT}".encode()
    _check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    kept = [(path, os.open(path, os.O_PATH)) for path in keep]
    for place in (b"/tmp", b"/dev/shm"):
        _check(_libc.mount(b"tmpfs", place, b"tmpfs", MS_NOSUID | MS_NODEV, scratch))
    for path, descriptor in kept:
        os.makedirs(path, exist_ok=True)
        _check(_libc.mount(f"/proc/self/fd/{descriptor}".encode(), os.fsencode(path), None, MS_BIND | MS_REC, None))
        os.close(descriptor)
    terminals = f"ptmxmode=0666,max={TERMINALS}".encode()
    _check(_libc.mount(b"devpts", b"/dev/pts", b"devpts", MS_NOSUID | MS_NOEXEC, terminals))
    _check(_libc.mount(b"/dev/null", b"/dev/zero", None, MS_BIND, None))  # mapped, it is memory that counts for nobody
    for device in Path("/dev").iterdir():
        if os.path.ismount(device) and device.name not in ("shm", "pts"):  # the machine's own: its rights stay
            flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC
            _check(_libc.mount(b"none", bytes(device), None, flags, None))
    if _has_card():
        _let_cuda_name_its_threads()
    with contextlib.suppress(OSError):  # not everywhere; without them, memory and rights are still limited
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
        Path("/proc/sys/net/core/somaxconn").write_text("1")  # what waits to be accepted is nobody's memory
        Path("/proc/sys/kernel/shmall").write_text(str(limits["scratch"] // resource.getpagesize()))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # when memory runs out, this goes first
    flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
    _check(_libc.mount(b"none", b"/proc", None, flags, None))
    for name, value in (
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_SIGPENDING, SIGNALS),
    ):
        resource.setrlimit(name, (value, value))
    os.nice(5)  # what watches over it comes first
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    header, nothing = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    _check(_libc.capset(header, nothing))
    forbid_system_calls(("mmap",) if _has_card() else ())  # CUDA's threads and the card share anonymous memory


def _has_card() -> bool:
    """Whether kernels see a graphics card."""
    return any(Path("/dev").glob("nvidia*"))


def _let_cuda_name_its_threads() -> None:
    """Put a folder of the kernel's own over the list of its threads: CUDA gives up where it cannot write their names.

    It looks for them by their numbers in this process namespace, in a /proc that is read-only and of the outer one.
    """
    names = f"size=1m,mode=0700,nr_inodes={3 * THREADS},uid={STUDENT},gid={STUDENT}".encode()
    _check(_libc.mount(b"tmpfs", b"/proc/self/task", b"tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, names))
    for number in range(1, THREADS):
        os.mkdir(f"/proc/self/task/{number}")


if __name__ == "__main__":
    main()
