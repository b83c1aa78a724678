"""The fork server of a grading worker: it imports everything once and forks one kernel after another.

It runs inside a sandbox (:mod:`course_lib.judge.sandbox`) that hides the machine. Each kernel gets its own namespaces
inside the sandbox: users, processes, mounts, System V IPC and network. So it cannot reach this process or anything that
another kernel left behind. The kernel is process 1 of its process namespace: when it ends, the system kills all
processes that it started.

Protocol: JSON packets over the control socket, one kernel at a time::

    judge to server  {"id": <number>, "start": <connection info>, "limits": {...}, "environment": {...},
                      "optimizers": bool, "keep": [<folder below /tmp>]}
    server to judge  {"ready": true}                       once, after the imports
    kernel to judge  {"id": <number>, "started": true}     the judge gets the sender's pid from the socket
    either to judge  {"id": <number>, "failed": <text>}    the kernel could not be started
    server to judge  {"id": <number>, "ended": <verdict or "">, "killed": bool}

When a kernel ends, the verdict names the limit that it exceeded, if any. ``killed`` says whether a SIGKILL ended it;
its own code cannot send it one.
"""

import contextlib
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
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from . import preload
from .isolation import MAX_OPEN_FILES, WORK, adopt_orphans, enter_namespaces, has_gpu, lock_in

POLL_SECONDS = 0.1
"""Seconds between two checks of what a kernel uses."""

THREADLESS_PACKAGES = ("course_lib", "matplotlib", "numpy", "pandas", "scipy", "torch", "torchvision")
"""Packages that start no threads when they are imported: importing them in a fork first would only waste time."""

SLOW_IMPORT = 20
"""Seconds after which the import of a module is left to the notebooks."""

MAX_MESSAGE = 65536
"""Largest packet on the control socket, in bytes."""

SOCKET_BUFFER = 3 * 2**18
"""Bytes of the system's memory that a socket and the two connections in its queue may take. The system does not
attribute them to any process, so each open file is counted with this size."""


@dataclass
class Kernel:
    """The kernel that runs now: how to watch it, and what it may use."""

    id: int
    pid: int
    pidfd: int
    """Readable once the kernel has ended."""
    memory: int
    tasks: int
    shared: int | None = None
    """With a GPU: bytes of memory that all processes of the machine shared when the kernel started. A kernel
    with a card can allocate shared memory that is not attributed to any process."""
    verdict: str = ""
    """Name of the verdict for the limit that it exceeded."""


def main() -> NoReturn:
    """Serve the control socket, whose file descriptor is the program's argument, until the judge closes it."""
    control = socket.socket(fileno=int(sys.argv[1]))
    unlimited = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (unlimited, unlimited))  # the judge's own limit does not apply to kernels
    adopt_orphans()  # kernels are orphans: see _fork
    with no_gc_while_importing():
        _prepare()
    control.send(json.dumps({"ready": True}).encode())
    kernel: Kernel | None = None
    while True:
        watched: list[Any] = [control] if kernel is None else [control, kernel.pidfd]
        ready, _, _ = select.select(watched, [], [], None if kernel is None else POLL_SECONDS)
        if kernel is not None:
            kernel.verdict = exceeded_limit(kernel)
            if kernel.verdict or ready:
                _end(kernel, control)
                kernel = None
        if control in ready:
            request = control.recv(MAX_MESSAGE)
            if not request:
                os._exit(0)  # the judge is gone; the sandbox and all kernels end with this process
            message = json.loads(request)
            if message["optimizers"] and "torch" in sys.modules and "torch._dynamo" not in sys.modules:
                with no_gc_while_importing():  # torch's first optimizer imports it, which would take each kernel 0.8 s
                    importlib.import_module("torch._dynamo")
            kernel = _fork(message, control)


@contextlib.contextmanager
def no_gc_while_importing() -> Iterator[None]:
    """Switch off garbage collection for imports in the block; it would take a sixth of their time.

    Later, the collector also ignores the imported objects, so their memory stays shared with the forked kernels.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def _prepare() -> None:
    """Import what a kernel needs, and what the notebooks import.

    No thread may start here: a fork copies the locks that it holds, but not the thread. And matplotlib_inline must not
    be imported here: when a kernel imports it, it registers with the notebook's shell in order to show figures.
    """
    modules = preload.modules()
    known = [name for name in modules if name.partition(".")[0] in THREADLESS_PACKAGES]
    for name in known:  # before course_lib.kernel.app, which asks what is imported
        with contextlib.suppress(Exception):  # the notebook shows its own error
            importlib.import_module(name)
    for name in importable([name for name in modules if name not in known]):
        importlib.import_module(name)
    for name in (
        "course_lib.kernel.app", "numpy.ctypeslib", "tornado.platform.asyncio",
        "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.logger", "IPython.core.oinspect",
        "IPython.extensions.storemagic", "ipykernel.debugger", "zmq.utils.garbage",
    ):  # fmt: skip
        importlib.import_module(name)
    if "course_lib.training" in sys.modules:
        importlib.import_module("course_lib.kernel.training_reuse")
        importlib.import_module("course_lib.kernel.figures")
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
        importlib.import_module("course_lib.kernel.responder")
    _show_first_traceback()
    if "matplotlib.pyplot" in sys.modules:
        _draw_first_figure()
    if "course_lib.mnist" in sys.modules:
        from course_lib import fast_cpu, mnist
        from course_lib.grading_hooks import hooks

        hooks.loaded_datasets = mnist.load_mnist()
        fast_cpu.keep_pages()
    gc.collect()


def _show_first_traceback() -> None:
    """Format a traceback: the first one imports what analyses and colours code, which takes 0.1 s."""
    from IPython.core.ultratb import AutoFormattedTB

    try:
        raise ValueError
    except ValueError:
        AutoFormattedTB("Context").structured_traceback(*sys.exc_info())


def _draw_first_figure() -> None:
    """Draw a figure: the first one loads fonts and encoders."""
    from IPython.core.pylabtools import print_figure
    from matplotlib.figure import Figure

    figure = Figure()
    figure.add_subplot(title="first")
    print_figure(figure)


def importable(names: Sequence[str]) -> list[str]:
    """The modules that are safe to import here.

    A fork tries each one. Those that fail, are slow or start threads are left out.
    """
    if not names:
        return []
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        for name in names:
            began = time.monotonic()
            try:
                importlib.import_module(name)
                if threading.active_count() == 1 and time.monotonic() - began < SLOW_IMPORT:
                    os.write(writing, f"{name}\n".encode())
            except BaseException:  # the notebook shows its own error
                continue
        os._exit(0)
    os.close(writing)
    found = b""
    deadline = time.monotonic() + SLOW_IMPORT
    while select.select([reading], [], [], max(0.0, deadline - time.monotonic()))[0]:
        if not (data := os.read(reading, MAX_MESSAGE)):
            break
        found, deadline = found + data, time.monotonic() + SLOW_IMPORT
    os.close(reading)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return found.decode().split()


# -- limits -----------------------------------------------------------------------------------------------------------


def exceeded_limit(kernel: Kernel) -> str:
    """The verdict for the limit that the kernel, with all processes it started, exceeds; empty if there is none."""
    processes = [p for p in Path("/proc").iterdir() if p.name.isdecimal() and int(p.name) not in (1, os.getpid())]
    used = [read_numbers(process / "status") for process in processes]
    if _total(used, "Threads") > kernel.tasks:
        return "too_many_processes"
    if kernel.shared is not None and _shared() - kernel.shared > kernel.memory:
        return "out_of_memory"
    # first a fast upper bound, which counts memory shared by two processes twice; the exact numbers only if needed
    system = _total(used, "VmPTE") * 1024 + sum(map(_open_files, processes)) * SOCKET_BUFFER
    if _total(used, "RssAnon", "RssShmem") * 1024 + system <= kernel.memory:
        return ""
    shared = [read_numbers(process / "smaps_rollup") for process in processes]
    for process, numbers in zip(processes, shared, strict=True):
        if "Pss_Anon" not in numbers:  # a process that hides its numbers, or one that has ended and uses nothing
            numbers["Pss_Anon"] = _total([read_numbers(process / "status")], "RssAnon", "RssShmem")
    return "out_of_memory" if _total(shared, "Pss_Anon", "Pss_Shmem") * 1024 + system > kernel.memory else ""


def _shared() -> int:
    """Bytes of shared memory, of all processes of the machine."""
    return read_numbers(Path("/proc/meminfo")).get("Shmem", 0) * 1024


def _open_files(process: Path) -> int:
    """Weighted number of open files of a process: an epoll file also counts 1 for each kB of its watch list."""
    try:
        files = os.listdir(process / "fd")
        return len(files) + sum(_watched(f"{process}/fd/{name}") for name in files)
    except FileNotFoundError:
        return 0
    except OSError:  # it hides them: assume the most
        return MAX_OPEN_FILES


def _watched(path: str) -> int:
    """For an epoll file, the size in kB of the list of files it watches; 0 for other files.

    The system limits these lists for each user of the machine, so one kernel must not use them up.
    """
    try:
        if os.readlink(path) != "anon_inode:[eventpoll]":
            return 0
        with open(path.replace("/fd/", "/fdinfo/"), "rb") as file:
            return len(file.read(SOCKET_BUFFER)) >> 10
    except OSError:
        return 0


def read_numbers(path: Path) -> dict[str, int]:
    """The numeric fields of a file in /proc, with or without the unit kB; empty for a process that has ended."""
    try:
        text = path.read_text(errors="replace")  # a process may have any bytes as its name
        fields = [line.split(":", 1) for line in text.splitlines() if ":" in line]
    except OSError:
        return {}
    words = {name: value.split() for name, value in fields}
    return {name: int(value[0]) for name, value in words.items() if value and value[0].isdecimal()}


def _total(processes: list[dict[str, int]], *names: str) -> int:
    return sum(process.get(name, 0) for process in processes for name in names)


def _end(kernel: Kernel, control: socket.socket) -> None:
    """Kill the kernel and all processes that it started, and tell the judge."""
    signal.pidfd_send_signal(kernel.pidfd, signal.SIGKILL)
    _, status = os.waitpid(kernel.pid, 0)  # returns when the last process of its namespace is dead
    os.close(kernel.pidfd)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    control.send(json.dumps({"id": kernel.id, "ended": kernel.verdict, "killed": killed}).encode())


# -- a kernel ---------------------------------------------------------------------------------------------------------


def _fork(request: dict[str, Any], control: socket.socket) -> Kernel | None:
    """Fork a kernel into its own namespaces.

    A process that creates a process namespace stays outside it; only its children are inside. So a first child
    creates the namespaces and forks the kernel. Then it ends, before any code of the student runs, and the kernel
    becomes a child of this process.
    """
    reading, writing = os.pipe()
    first = os.fork()
    if first == 0:
        try:
            os.close(reading)
            enter_namespaces()
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
        if os.WIFSIGNALED(status):  # otherwise it has sent the reason itself
            control.send(json.dumps({"id": request["id"], "failed": "killed"}).encode())
        return None
    limits = request["limits"]
    shared = _shared() if has_gpu() else None
    return Kernel(request["id"], int(pid), os.pidfd_open(int(pid)), limits["memory"], limits["tasks"], shared)


def _become_kernel(request: dict[str, Any], control: socket.socket) -> None:
    """Set up the namespaces, give up all privileges, and run a kernel until it ends."""
    limits = request["limits"]
    os.setsid()  # a signal to its process group must not reach the parent
    lock_in(limits, request["keep"])
    work = Path(WORK)
    if Path("/files").is_dir():
        shutil.copytree("/files", work)
    work.mkdir(exist_ok=True)
    os.chdir(work)
    os.environ.clear()
    os.environ.update(request["environment"])
    Path(os.environ["HOME"]).mkdir()

    if limits["threads"] and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(limits["threads"])
    from ..messages import set_language  # not from course_lib, which would import all its modules
    from .app import kernel_app

    set_language(os.environ["COURSE_LIB_LANG"])  # the variable was not set yet when course_lib was imported
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


if __name__ == "__main__":
    main()
