"""Where submissions are graded: worker processes of this machine, or a Dask cluster.

Grading is a pure function, so a class is a map over a ``concurrent.futures.Executor``. A submission that kills its
worker takes along what the others were at: these are graded again, each alone, so that only the guilty one is lost.
"""

import contextlib
import json
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ..authoring.errors import AssignmentError, GradingFault
from ..files import cache_folder
from ..judge.task import GradedNotebook, GradingTask
from ..mnist import unpack_mnist
from .worker import grade_submission, worker_processes

__all__ = ["Pool", "cluster_pool", "cores", "local_pool"]

AHEAD = 2
"""Submissions handed over for each worker: none waits for work, and few are in memory."""

CONNECT = 30
"""Seconds to wait for a Dask scheduler, and between two looks at its workers."""

_log = logging.getLogger(__name__)

Work = tuple[str, Sequence[GradingTask]]
"""The name of a submission, and its notebooks."""


@dataclass
class Crew:
    """How many workers there are now: those of a cluster may come one by one."""

    workers: int


class ClusterCrew(Crew):
    """The workers of a Dask cluster that can grade.

    One that cannot would be done with each submission at once, and so get most of the class.

    Args:
        client: Dask's.
        check: what a worker is asked; raises where it cannot grade.
    """

    def __init__(self, client: Any, check: Callable[[], None]) -> None:
        super().__init__(0)
        self._client = client
        self._check = check
        self._answers: dict[str, Exception | None] = {}
        """What workers said, by their addresses."""
        self.only: list[str] = []
        """The addresses of those that can, for Dask, to whom none means all: a worker that restarts is used at once."""

    def look(self) -> None:
        """Count the workers, and ask those that are new."""
        threads = self._client.nthreads()
        if new := [address for address in threads if address not in self._answers]:
            answers = self._client.run(self._check, workers=new, on_error="return")
            self._answers |= answers
            for address, error in answers.items():
                if error is not None:
                    _log.warning("The Dask worker %s cannot grade, and gets no work: %s", address, error)
        fit = [address for address in threads if self._answers.get(address) is None]
        self.only[:] = fit if len(fit) < len(threads) else []
        self.workers = sum(threads[address] for address in fit)


class ClusterLost(BrokenExecutor):
    """There is nowhere left to grade."""


def _outcome(future: Future[list[GradedNotebook]]) -> list[GradedNotebook]:
    """What was graded.

    Raises:
        ClusterLost: if the future was cancelled: nobody does so, but a Dask client that has lost its scheduler.
        BrokenExecutor: if its worker died, or several of Dask's did.
    """
    try:
        return future.result()
    except CancelledError as error:
        raise ClusterLost(
            "the Dask scheduler has ended: start a cluster, then run the command again; what was graded is kept"
        ) from error
    except Exception as error:
        if type(error).__name__ == "KilledWorker":  # Dask's, which is imported on a cluster only
            raise BrokenExecutor(str(error)) from error
        raise


class Pool:
    """Grades submissions in an executor that is started at the first use, and again when it broke.

    Args:
        start: opens an executor; gives it and its workers.
        grade: what is called there.
    """

    def __init__(
        self,
        start: Callable[[], contextlib.AbstractContextManager[tuple[Executor, Crew]]],
        grade: Callable[[Sequence[GradingTask]], list[GradedNotebook]] = grade_submission,
    ) -> None:
        self._start = start
        self._grade = grade
        self._open = contextlib.ExitStack()
        self._executor: Executor | None = None
        self._crew = Crew(0)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *error: object) -> None:
        self._open.__exit__(*error)  # type: ignore[arg-type]  # what `with` passes

    def _submit(self, jobs: Sequence[GradingTask]) -> Future[list[GradedNotebook]]:
        try:
            return self._started().submit(self._grade, jobs)
        except BrokenExecutor:
            self._executor = None
            return self._started().submit(self._grade, jobs)

    def _started(self) -> Executor:
        if self._executor is None:
            self._executor, self._crew = self._open.enter_context(self._start())
        return self._executor

    def grade(self, jobs: Sequence[GradingTask]) -> list[GradedNotebook]:
        """Grade one submission.

        Raises:
            GradingFault: if the grader fails on it, or its worker is killed.
            ClusterLost: if there is nowhere left to grade.
        """
        try:
            return _outcome(self._submit(jobs))
        except ClusterLost:
            raise
        except BrokenExecutor as error:
            why = "where nothing above says why, it was killed, perhaps for want of memory: run the command again"
            raise GradingFault(f"The worker ended; {why}") from error

    def grade_all(self, work: Iterable[Work]) -> Iterator[tuple[str, list[GradedNotebook] | Exception]]:
        """Grade many submissions; each one's name with its result, or what was raised, as they are ready.

        Raises:
            ClusterLost: if there is nowhere left to grade.
        """
        lost: list[Work] = []
        yield from self._grade_some(iter(work), lost)
        for name, jobs in lost:
            dead: list[Work] = []
            yield from self._grade_some(iter([(name, jobs)]), dead)
            if dead:
                yield name, GradingFault("its worker was killed twice, perhaps for want of memory")

    def _grade_some(
        self, work: Iterator[Work], lost: list[Work]
    ) -> Iterator[tuple[str, list[GradedNotebook] | Exception]]:
        """The same; what was under way when a worker died is put into ``lost``."""
        self._started()
        running: dict[Future[list[GradedNotebook]], Work] = {}
        while True:
            for one in islice(work, max(0, AHEAD * self._crew.workers - len(running))):
                running[self._submit(one[1])] = one
            if not running:
                return
            done, _ = wait(running, CONNECT, FIRST_COMPLETED)  # not for ever: there may be more workers by then
            for future in done:
                name, jobs = running.pop(future)
                try:
                    outcome: list[GradedNotebook] | Exception = _outcome(future)
                except ClusterLost:
                    raise
                except BrokenExecutor:
                    lost.append((name, jobs))
                    continue
                except Exception as error:  # the others go on
                    outcome = error
                yield name, outcome


def cores() -> int:
    """The cores that this process may use: a job of Slurm and a container may have a few of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def local_pool(workers: int, room: Path | None) -> Iterator[tuple[Executor, Crew]]:
    """Worker processes of this machine; when the command ends by an error or an interrupt, they end at once.

    Args:
        workers: their number.
        room: the folder with what kernels see, or None for no sandbox.

    Raises:
        OSError: if there is no room for MNIST in the cache.
    """
    if room is not None:
        unpack_mnist(cache_folder())  # the sandboxes show it; a worker that has no room for it could only die
    with worker_processes(workers, room) as executor:
        try:
            yield executor, Crew(workers)
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.kill()
            raise


@contextlib.contextmanager
def cluster_pool(scheduler: str, check: Callable[[], None]) -> Iterator[tuple[Executor, Crew]]:
    """The workers of a Dask cluster; with :func:`course_lib.execution.worker.grade_in_a_process_of_its_own`.

    Args:
        scheduler: its address, such as ``tcp://host:8786``, or the path of a scheduler file.
        check: raises in a worker that cannot grade.

    Raises:
        AssignmentError: if there is no such scheduler, or it has no workers that can grade.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise AssignmentError("c.JudgedAutograde.scheduler needs Dask: pip install distributed") from error
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # of a lost scheduler, it shows 50 lines
    try:
        if "://" not in scheduler:
            scheduler = json.loads(Path(scheduler).read_text())["address"]
        client = Client(scheduler, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError, KeyError, TypeError) as error:  # the last two: the file is another one
        raise AssignmentError(f"no Dask scheduler answers at {scheduler}, start one first: {error}") from error
    with client:
        crew = ClusterCrew(client, check)
        crew.look()
        if not crew.workers:
            raise AssignmentError(f"the Dask scheduler at {scheduler} has no workers that can grade: start some first")
        executor, ended = client.get_executor(pure=False, workers=crew.only), threading.Event()
        threading.Thread(target=_watch_workers, args=(crew, ended), daemon=True).start()
        try:
            yield executor, crew
        finally:
            ended.set()
            executor.shutdown(wait=False)  # cancels what is under way


def _watch_workers(crew: ClusterCrew, ended: threading.Event) -> None:
    """Look for workers that come, and say when all are lost: Dask waits for others, which may never come."""
    while not ended.wait(CONNECT):
        with contextlib.suppress(Exception):  # the scheduler is lost, which others notice
            crew.look()
            if not crew.workers:
                _log.warning(
                    "The Dask cluster has no workers any more that can grade: start some, or interrupt; "
                    "what was graded is kept"
                )
