"""The worker processes. Only they may import torch, so the command itself starts in a second."""

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

from ..files import cache_folder
from ..judge.sandbox import check_protection, sandbox_for
from ..judge.task import GradedNotebook, GradingTask, Protection
from ..kernel.fork_server import no_gc_while_importing
from ..mnist import unpack_mnist
from ..results.errors import AssignmentError, GraderError
from .cache_key import versions

MAX_WORKER_MEMORY = 2 * 2**30
"""Bytes of private memory that a worker may reserve. It needs a quarter of that."""


def start_worker(parent: int, workspace: Path | None, judged: bool) -> None:
    """Prepare a worker process: it ignores interrupts, dies with its parent, and has a memory limit and all imports.

    Args:
        parent: pid of the process that runs the command. Only that process handles interrupts.
        workspace: the folder with the files that kernels see; None for no sandbox. The sandbox starts here, so that it
            is ready when everything has been imported.
        judged: whether the assignment has hidden tests, which need torch.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)
    if workspace is not None:
        sandbox_for(workspace / "library", workspace / "files")
    # a kernel may send a message so large that reading it fills the memory: then only this worker dies
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_WORKER_MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    with no_gc_while_importing():
        importlib.import_module("course_lib.judge.pipeline")
        if judged:
            importlib.import_module("course_lib.judge.judged_cells")


def grade_submission(tasks: Sequence[GradingTask]) -> list[GradedNotebook]:
    """Grade the notebooks of one submission."""
    from ..judge.pipeline import grade

    return [grade(task) for task in tasks]


def worker_processes(workers: int, workspace: Path | None, judged: bool = True) -> ProcessPoolExecutor:
    """Start worker processes, all at once because each takes seconds to start.

    Args:
        workers: their number.
        workspace: the folder with the files that kernels see; None for no sandbox.
        judged: see :func:`start_worker`.

    Raises:
        GraderError: if the machine cannot start them.
    """
    spawn = multiprocessing.get_context("spawn")  # a forked torch may hang
    try:
        executor = ProcessPoolExecutor(workers, spawn, start_worker, (os.getpid(), workspace, judged))
    except OSError as error:  # Python keeps its locks in /dev/shm, which the system's message does not say
        raise GraderError(
            f"No worker can be started: {error}. Check that /dev/shm is writable and has free space."
        ) from error
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType(
        "__main__"
    )  # else each worker imports the program, which takes 1 s for nbgrader
    # workers inherit the blocked interrupt, until start_worker ignores it
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        for _ in range(workers):
            executor.submit(int)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        sys.modules["__main__"] = program
    return executor


# -- in a Dask worker --------------------------------------------------------------------------------------------------

_executors: dict[Path, ProcessPoolExecutor] = {}
"""The processes that grade for this Dask worker, by the kernels' library folder. Each command has its own folder."""

_executors_lock = threading.Lock()


def check_machine(protection: Protection, folders: Sequence[Path], others: Sequence[str]) -> None:
    """Check, in a Dask worker, that kernels can run and that marks would be the same as on the command's machine.

    Args:
        protection: the sandbox of the students' kernels.
        folders: the folders that the worker must see.
        others: the :func:`course_lib.execution.cache_key.versions` of the command.

    Raises:
        AssignmentError, GraderError or OSError: if the worker cannot grade. The message says why.
    """
    if multiprocessing.current_process().daemon:
        raise GraderError(
            "it cannot start processes: set DASK_DISTRIBUTED__WORKER__DAEMON=False in the environment of the workers"
        )
    if protection != "none":
        check_protection()
    unpack_mnist(cache_folder())
    for folder in folders:
        if not folder.is_dir():
            raise GraderError(
                f"it does not see {folder}: the command and all workers need the course folder under the same path, "
                "and the same shared folder as COURSE_LIB_CACHE"
            )
    if different := [version for version in versions(all_code=True) if version not in others]:
        raise GraderError(
            f"its versions differ from the command's: {', '.join(different)}. Start it in the command's environment"
        )


def grade_in_child_process(check: Callable[[], None], tasks: Sequence[GradingTask]) -> list[GradedNotebook]:
    """Grade in a Dask worker, in a child process: Dask runs tasks in threads, but grading uses signals and limits.

    Args:
        check: :func:`check_machine` with its arguments. It also runs here, because the worker may be new.
        tasks: the notebooks of one submission.

    Raises:
        GraderError: if the worker cannot grade.
        BrokenExecutor: if the process dies.
    """
    from distributed import get_worker

    library = tasks[0].library
    with _executors_lock:
        if library not in _executors:
            for ended in [folder for folder in _executors if not folder.exists()]:  # of commands that have ended
                _executors.pop(ended).shutdown(wait=False, cancel_futures=True)
            try:
                check()
            except (AssignmentError, GraderError, OSError) as error:
                raise GraderError(f"the Dask worker {get_worker().address} cannot grade: {error}") from error
            workspace = None if tasks[0].protection == "none" else library.parent
            _executors[library] = worker_processes(get_worker().state.nthreads, workspace)
        executor = _executors[library]
    try:
        return executor.submit(grade_submission, tasks).result()
    except BrokenExecutor:
        with _executors_lock:
            if _executors.get(library) is executor:
                del _executors[library]
        raise
