"""Grade many submissions in an executor that may lose its workers.

Grading is a pure function, so grading a class is a map over a ``concurrent.futures.Executor``. If a submission kills
its worker, all submissions that are being graded are lost with it. They are graded again one at a time, so that only
the submission that kills its worker fails.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from itertools import islice

from ..judge.task import GradedNotebook, GradingTask
from ..results.errors import GraderError
from .executors import WorkerCount
from .worker import grade_submission

QUEUED_PER_WORKER = 2
"""Submissions passed to the executor for each worker: enough to keep workers busy, few enough to keep in memory."""

RECOUNT_SECONDS = 30
"""Seconds after which the workers are recounted, even if none of them has finished a submission."""

Keys = tuple[str, ...]
"""The keys of all notebooks of a submission. Equal submissions have equal keys."""

Work = tuple[Keys, Sequence[GradingTask]]
"""The keys of a submission, and the tasks that grade its notebooks."""


class ClusterLost(BrokenExecutor):
    """The Dask scheduler has ended, so there is nowhere left to grade."""


def _result(future: Future[list[GradedNotebook]]) -> list[GradedNotebook]:
    """The graded notebooks of a submission.

    Raises:
        ClusterLost: if the future was cancelled. Only a Dask client that has lost its scheduler cancels futures.
        BrokenExecutor: if the worker died, or if several Dask workers died one after the other.
    """
    try:
        return future.result()
    except CancelledError as error:
        raise ClusterLost(
            "The Dask scheduler has ended. The results so far are kept: start a cluster, then run the command again."
        ) from error
    except Exception as error:
        if type(error).__name__ == "KilledWorker":  # a class of Dask, which is imported for clusters only
            raise BrokenExecutor(str(error)) from error
        raise


class WorkerPool:
    """Grades submissions in an executor, which it starts at the first use and restarts when it breaks.

    Args:
        start: starts an executor; its context gives the executor and the number of its workers.
        grade: the function that a worker calls with the tasks of one submission.
    """

    def __init__(
        self,
        start: Callable[[], contextlib.AbstractContextManager[tuple[Executor, WorkerCount]]],
        grade: Callable[[Sequence[GradingTask]], list[GradedNotebook]] = grade_submission,
    ) -> None:
        self._start = start
        self._grade = grade
        self._stack = contextlib.ExitStack()
        self._executor: Executor | None = None
        self._count = WorkerCount(0)

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]  # what `with` passes

    def _submit(self, tasks: Sequence[GradingTask]) -> Future[list[GradedNotebook]]:
        try:
            return self._started().submit(self._grade, tasks)
        except BrokenExecutor:
            self._executor = None
            return self._started().submit(self._grade, tasks)

    def _started(self) -> Executor:
        if self._executor is None:
            self._executor, self._count = self._stack.enter_context(self._start())
        return self._executor

    def grade(self, tasks: Sequence[GradingTask]) -> list[GradedNotebook]:
        """Grade one submission.

        Raises:
            GraderError: if the grader has an error, or the worker is killed.
            ClusterLost: if there is nowhere left to grade.
        """
        try:
            return _result(self._submit(tasks))
        except ClusterLost:
            raise
        except BrokenExecutor as error:
            raise GraderError(
                "The worker ended. If no message above says why, it was killed, perhaps because memory ran out: "
                "run the command again."
            ) from error

    def grade_all(self, work: Iterable[Work]) -> Iterator[tuple[Keys, list[GradedNotebook] | Exception]]:
        """Grade many submissions.

        Yields:
            The keys of each submission, with its graded notebooks or the exception that grading raised, in the order in
            which they are ready.

        Raises:
            ClusterLost: if there is nowhere left to grade.
        """
        lost: list[Work] = []
        yield from self._grade_together(iter(work), lost)
        for name, tasks in lost:
            lost_again: list[Work] = []
            yield from self._grade_together(iter([(name, tasks)]), lost_again)
            if lost_again:
                yield name, GraderError("its worker was killed twice, perhaps because memory ran out")

    def _grade_together(
        self, work: Iterator[Work], lost: list[Work]
    ) -> Iterator[tuple[Keys, list[GradedNotebook] | Exception]]:
        """Grade submissions at the same time; append to ``lost`` those that were under way when a worker died."""
        self._started()
        running: dict[Future[list[GradedNotebook]], Work] = {}
        while True:
            for name, tasks in islice(work, max(0, QUEUED_PER_WORKER * self._count.workers - len(running))):
                running[self._submit(tasks)] = name, tasks
            if not running:
                return
            done, _ = wait(running, RECOUNT_SECONDS, FIRST_COMPLETED)
            for future in done:
                name, tasks = running.pop(future)
                try:
                    outcome: list[GradedNotebook] | Exception = _result(future)
                except ClusterLost:
                    raise
                except BrokenExecutor:
                    lost.append((name, tasks))
                    continue
                except Exception as error:  # a fault in one submission does not stop the others
                    outcome = error
                yield name, outcome
