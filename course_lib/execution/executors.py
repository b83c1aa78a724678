"""Executors, as in ``concurrent.futures``, that grade: worker processes on this machine, or a Dask cluster."""

import contextlib
import json
import logging
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import cache_folder
from ..mnist import unpack_mnist
from ..results.errors import AssignmentError
from .worker import worker_processes

CONNECT_SECONDS = 30
"""Seconds to wait for a Dask scheduler to answer, and between two checks of its workers."""

_log = logging.getLogger(__name__)


@dataclass
class WorkerCount:
    """The number of workers at present. It changes on a cluster, whose workers may start one by one."""

    workers: int


class ClusterWorkers(WorkerCount):
    """The workers of a Dask cluster that can grade.

    Workers that cannot grade get no work. They would fail at once on each submission, so Dask would find them free and
    hand them most of the class.

    Args:
        client: Dask's client.
        check: runs on each worker, and raises an exception if that worker cannot grade.
    """

    def __init__(self, client: Any, check: Callable[[], None]) -> None:
        super().__init__(0)
        self._client = client
        self._check = check
        self._errors: dict[str, Exception | None] = {}
        """What the check raised, by the worker's address."""
        self.allowed: list[str] = []
        """Addresses of the workers that may get work. Empty if all workers can grade: Dask takes an empty list to mean
        any worker, so a worker that restarts under a new address gets work at once."""

    def update(self) -> None:
        """Count the workers, and check the new ones."""
        threads = self._client.nthreads()
        if new := [address for address in threads if address not in self._errors]:
            errors = self._client.run(self._check, workers=new, on_error="return")
            self._errors |= errors
            for address, error in errors.items():
                if error is not None:
                    _log.warning("The Dask worker %s cannot grade and gets no work: %s", address, error)
        able = [address for address in threads if self._errors.get(address) is None]
        self.allowed[:] = able if len(able) < len(threads) else []
        self.workers = sum(threads[address] for address in able)

    def watch(self, ended: threading.Event) -> None:
        """Update until ``ended``, and warn when no worker is left: Dask would silently wait for new ones."""
        while not ended.wait(CONNECT_SECONDS):
            with contextlib.suppress(Exception):  # a lost scheduler is reported by the worker pool
                self.update()
                if not self.workers:
                    _log.warning(
                        "The Dask cluster has no workers left that can grade: start some, or interrupt the command. "
                        "The results so far are kept."
                    )


@contextlib.contextmanager
def local_executor(workers: int, workspace: Path | None, judged: bool = True) -> Iterator[tuple[Executor, WorkerCount]]:
    """Worker processes on this machine. They are killed at once if an error or an interrupt ends the command.

    Args:
        workers: their number.
        workspace: the folder with the files that kernels see; None for no sandbox.
        judged: whether the assignment has hidden tests.

    Raises:
        OSError: if the cache has no space for MNIST.
    """
    if workspace is not None:
        unpack_mnist(cache_folder())  # the sandboxes show it; without space for it, a worker would just die
    with worker_processes(workers, workspace, judged) as executor:
        try:
            yield executor, WorkerCount(workers)
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.kill()
            raise


@contextlib.contextmanager
def cluster_executor(scheduler: str, check: Callable[[], None]) -> Iterator[tuple[Executor, WorkerCount]]:
    """The workers of a Dask cluster, for :func:`course_lib.execution.worker.grade_in_child_process`.

    Args:
        scheduler: its address, such as ``tcp://host:8786``, or the path of a scheduler file.
        check: runs on each worker, and raises an exception if that worker cannot grade.

    Raises:
        AssignmentError: if Dask is not installed, if the scheduler does not answer, or if no worker can grade.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise AssignmentError("c.JudgedAutograde.scheduler needs Dask: run 'pip install distributed'") from error
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # it logs 50 lines about a lost scheduler
    try:
        if "://" not in scheduler:
            scheduler = json.loads(Path(scheduler).read_text())["address"]
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, KeyError, TypeError) as error:  # the last three: the file is not a scheduler file
        raise AssignmentError(
            f"No Dask scheduler answers at {scheduler}: start one, or correct c.JudgedAutograde.scheduler in "
            f"nbgrader_config.py ({error})"
        ) from error
    with client:
        cluster = ClusterWorkers(client, check)
        cluster.update()
        if not cluster.workers:
            raise AssignmentError(f"The Dask scheduler at {scheduler} has no workers that can grade: start some first")
        executor, ended = client.get_executor(pure=False, workers=cluster.allowed), threading.Event()
        threading.Thread(target=cluster.watch, args=(ended,), daemon=True).start()
        try:
            yield executor, cluster
        finally:
            ended.set()
            executor.shutdown(wait=False)  # cancels what is under way
