"""What the worker processes do. Only they import torch: the command itself starts in a second."""

import ctypes
import importlib
import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from pathlib import Path
from types import ModuleType

from ..authoring.errors import AssignmentError, GradingFault
from ..files import cache_folder
from ..judge.sandbox import check_protection, sandbox
from ..judge.task import GradedNotebook, GradingTask, Protection
from ..kernel.fork_server import importing
from ..mnist import unpack_mnist
from .cache_key import versions

MEMORY = 2 * 2**30
"""Bytes of private memory that a worker may reserve; it needs a quarter of it."""

__all__ = ["check_machine", "grade_in_a_process_of_its_own", "grade_submission", "worker_processes"]


def start_worker(parent: int, room: Path | None) -> None:
    """Leave interrupts to the process that runs the command, and die when it is killed.

    Args:
        parent: the pid of that process.
        room: the folder with what kernels see, or None for no sandbox. The sandbox starts while this imports torch.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)
    if room is not None:
        sandbox(room / "library", room / "files")
    # a message may be larger than any limit on it can tell: then this worker dies, not the machine
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    with importing():
        importlib.import_module("course_lib.judge.pipeline")


def grade_submission(jobs: Sequence[GradingTask]) -> list[GradedNotebook]:
    """Grade the notebooks of one submission."""
    from ..judge.pipeline import grade

    return [grade(job) for job in jobs]


def worker_processes(workers: int, room: Path | None) -> ProcessPoolExecutor:
    """An executor of processes that grade, all of them started at once: each takes seconds.

    Args:
        workers: their number.
        room: the folder with what kernels see, or None for no sandbox.

    Raises:
        GradingFault: if the machine cannot start them.
    """
    spawn = multiprocessing.get_context("spawn")  # a forked torch may hang
    try:
        executor = ProcessPoolExecutor(workers, spawn, start_worker, (os.getpid(), room))
    except OSError as error:  # Python keeps its locks there; the system's message names no place
        raise GradingFault(
            f"No worker can be started: {error}: see that /dev/shm can be written and has room"
        ) from error
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")  # each worker would import the program: all of nbgrader, 1 s
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # there, until start_worker ignores it
    try:
        for _ in range(workers):
            executor.submit(int)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        sys.modules["__main__"] = program
    return executor


_pools: dict[Path, ProcessPoolExecutor] = {}
"""In a Dask worker: the processes that grade for it, by what their kernels import: each command has its own."""

_starting = threading.Lock()


def check_machine(protection: Protection, folders: Sequence[Path], others: Sequence[str]) -> None:
    """See in a Dask worker that kernels can run there, and marks are those of here.

    Args:
        protection: of the students' kernels.
        folders: which it must see.
        others: the :func:`course_lib.execution.cache_key.versions` of the command that asks.

    Raises:
        AssignmentError, GradingFault or OSError: if not; the message says why.
    """
    if multiprocessing.current_process().daemon:
        raise GradingFault("it may not start processes: set DASK_DISTRIBUTED__WORKER__DAEMON=False where workers start")
    if protection != "none":
        check_protection()
    unpack_mnist(cache_folder())
    for folder in folders:
        if not folder.is_dir():
            raise GradingFault(
                f"it does not see {folder}: the command and all workers need the course's folder under one path, and "
                "one COURSE_LIB_CACHE that they share"
            )
    if mine := [one for one in versions() if one not in others]:
        raise GradingFault(f"its versions are others: {', '.join(mine)}: start it in the command's environment")


def grade_in_a_process_of_its_own(check: Callable[[], None], jobs: Sequence[GradingTask]) -> list[GradedNotebook]:
    """Grade in a Dask worker. Its tasks are threads, but grading wants a process: it has signals and limits.

    Args:
        check: :func:`check_machine` with its arguments: this worker may be so new that nobody has asked it.
        jobs: the notebooks of one submission.

    Raises:
        GradingFault: if the worker cannot grade.
        BrokenExecutor: if the process dies.
    """
    from distributed import get_worker

    library = jobs[0].library
    with _starting:
        if library not in _pools:
            for ended in [folder for folder in _pools if not folder.exists()]:  # others may be at work
                _pools.pop(ended).shutdown(wait=False, cancel_futures=True)
            try:
                check()
            except (AssignmentError, GradingFault, OSError) as error:
                raise GradingFault(f"the Dask worker {get_worker().address} cannot grade: {error}") from error
            room = None if jobs[0].protection == "none" else library.parent
            _pools[library] = worker_processes(get_worker().state.nthreads, room)
        pool = _pools[library]
    try:
        return pool.submit(grade_submission, jobs).result()
    except BrokenExecutor:
        with _starting:
            if _pools.get(library) is pool:
                del _pools[library]
        raise
