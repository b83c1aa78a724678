"""Submissions are handed out a few at a time, and a worker that dies costs only the submission that killed it."""

import errno
import functools
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import psutil
import pytest

from course_lib.execution import executors, worker, worker_pool
from course_lib.execution.cache_key import versions
from course_lib.execution.executors import ClusterWorkers, WorkerCount, cluster_executor, local_executor
from course_lib.execution.run_settings import cores
from course_lib.execution.worker import worker_processes
from course_lib.execution.worker_pool import QUEUED_PER_WORKER, WorkerPool
from course_lib.results.errors import AssignmentError, GraderError


class Breakable(ThreadPoolExecutor):
    """Breaks for good at a submission called `killer`, as a process pool does when a worker is killed."""

    broken = False

    def submit(self, function: Any, tasks: Any) -> Any:
        if self.broken:
            raise BrokenExecutor
        return super().submit(self._run, function, tasks)

    def _run(self, function: Any, tasks: Any) -> Any:
        if "killer" in tasks[0]:
            self.broken = True
        if self.broken:
            raise BrokenExecutor
        return function(tasks)


@pytest.fixture
def started() -> list[Executor]:
    return []


def pool_of(started: list[Executor], grade: Any) -> WorkerPool:
    """A pool of two workers that notes in `started` each executor that it starts."""

    @contextmanager
    def start() -> Iterator[tuple[Executor, WorkerCount]]:
        with Breakable(2) as executor:
            started.append(executor)
            yield executor, WorkerCount(2)

    return WorkerPool(start, grade)


def one_task_each(*names: str) -> Iterator[tuple[str, Any]]:
    return ((name, [name]) for name in names)


# -- the pool ----------------------------------------------------------------------------------------------------------


def test_one_killer_costs_only_itself(started: list[Executor]) -> None:
    names = [f"student {i}" for i in range(20)]
    names.insert(7, "killer")
    with pool_of(started, lambda tasks: [tasks[0].upper()]) as pool:
        outcomes = dict(pool.grade_all(one_task_each(*names)))
    assert isinstance(outcomes.pop("killer"), GraderError)
    assert outcomes == {name: [name.upper()] for name in names if name != "killer"}
    assert len(started) > 1


def test_a_killed_worker_is_explained_for_a_single_submission(started: list[Executor]) -> None:
    """The source notebook or an appeal: Python's own message does not tell what to do."""
    with pool_of(started, lambda tasks: tasks) as pool:
        with pytest.raises(GraderError, match="run the command again"):
            pool.grade(["killer"])
        assert pool.grade(["anna"]) == ["anna"]  # type: ignore[list-item, comparison-overlap]


def test_victims_of_killed_dask_workers_are_graded_alone() -> None:
    """Dask gives up on all that was on several workers that died, the innocent submissions included."""
    killed = pytest.importorskip("distributed.scheduler").KilledWorker
    tried: list[str] = []

    def grade(tasks: Any) -> Any:
        tried.append(tasks[0])
        if tasks[0] == "killer" or tried.count(tasks[0]) < 2:
            raise killed("task", SimpleNamespace(address="tcp://there:1"), 3)
        return tasks

    @contextmanager
    def start() -> Iterator[tuple[Executor, WorkerCount]]:
        with ThreadPoolExecutor(2) as executor:
            yield executor, WorkerCount(2)

    with WorkerPool(start, grade) as pool:
        outcomes = dict(pool.grade_all(one_task_each("anna", "killer")))
    assert isinstance(outcomes["killer"], GraderError)
    assert outcomes["anna"] == ["anna"]


def test_an_exception_is_the_outcome_of_its_submission(started: list[Executor]) -> None:
    def grade(tasks: Any) -> Any:
        if tasks[0] == "bad":
            raise GraderError("of one test")
        if tasks[0] == "worse":
            raise ValueError
        return [tasks[0]]

    with pool_of(started, grade) as pool:
        outcomes = dict(pool.grade_all(one_task_each("a", "bad", "worse", "b")))
    assert isinstance(outcomes["bad"], GraderError)
    assert isinstance(outcomes["worse"], ValueError)
    assert (outcomes["a"], outcomes["b"]) == (["a"], ["b"])


def test_only_a_few_submissions_are_in_memory(started: list[Executor]) -> None:
    taken, done, most = 0, 0, 0
    lock = threading.Lock()

    def work() -> Iterator[tuple[str, Any]]:
        nonlocal taken
        for i in range(100):
            taken += 1
            yield str(i), [str(i)]

    def grade(tasks: Any) -> Any:
        nonlocal most
        with lock:
            most = max(most, taken - done)
        return tasks

    with pool_of(started, grade) as pool:
        for _ in pool.grade_all(work()):
            done += 1
    assert done == 100
    assert most <= 2 * QUEUED_PER_WORKER + 2


def test_workers_that_start_late_get_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even while the first worker takes long over its submissions."""
    monkeypatch.setattr(worker_pool, "RECOUNT_SECONDS", 0.05)
    count, handed_over, enough = WorkerCount(1), [], threading.Event()

    class Cluster(ThreadPoolExecutor):
        def submit(self, *arguments: Any) -> Any:
            handed_over.append(arguments)
            if len(handed_over) == QUEUED_PER_WORKER:
                count.workers = 4
            if len(handed_over) == 4 * QUEUED_PER_WORKER:
                enough.set()
            return super().submit(*arguments)

    @contextmanager
    def start() -> Iterator[tuple[Executor, WorkerCount]]:
        with Cluster(4) as executor:
            yield executor, count

    with WorkerPool(start, lambda _: [enough.wait(5)]) as pool:  # type: ignore[arg-type, list-item]
        outcomes = dict(pool.grade_all((str(i), []) for i in range(20)))
    assert set(map(str, outcomes.values())) == {"[True]"}


def test_nothing_starts_before_it_is_needed(started: list[Executor]) -> None:
    with pool_of(started, None):
        pass
    assert started == []


def test_a_lost_scheduler_ends_the_run_with_one_line() -> None:
    """Dask then cancels all submissions, those that are handed over later, too."""

    class Cancelling(ThreadPoolExecutor):
        def submit(self, function: Any, *arguments: Any) -> Any:
            future: Future[Any] = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    @contextmanager
    def start() -> Iterator[tuple[Executor, WorkerCount]]:
        yield Cancelling(1), WorkerCount(1)

    with pytest.raises(BrokenExecutor, match="scheduler has ended"), WorkerPool(start) as pool:
        list(pool.grade_all((name, []) for name in ("a", "b")))
    with pytest.raises(BrokenExecutor, match="scheduler has ended"), WorkerPool(start) as pool:
        pool.grade([])


# -- executors ---------------------------------------------------------------------------------------------------------


def test_a_cache_without_room_is_not_a_killed_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").touch()
    monkeypatch.setenv("COURSE_LIB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(OSError, match=r"cache/MNIST"), local_executor(1, tmp_path):
        pass


def test_only_the_cores_that_a_process_may_use_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker for each core of a large machine would fill the memory of a small Slurm job."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {5, 9}, raising=False)
    assert cores() == 2


def test_a_scheduler_that_does_not_answer_is_named(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "CONNECT_SECONDS", 0.5)
    for content in ("", "[]", "{}"):
        (tmp_path / f"{content}.json").write_text(content)
    files = ("scheduler.json", ".json", "[].json", "{}.json")
    for address in ("tcp://127.0.0.1:9", *(str(tmp_path / name) for name in files)):
        with pytest.raises(AssignmentError, match="No Dask scheduler"), cluster_executor(address, int):
            pass


def test_workers_of_a_cluster_are_checked_and_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Workers start, some of them cannot grade, all are lost: the log tells."""
    monkeypatch.setattr(executors, "CONNECT_SECONDS", 0.01)
    ended, seen = threading.Event(), []

    class Client:
        answers = iter(
            [{"one": 2, "two": 1}, OSError(), {"two": 1, "unfit": 4}, {"unfit": 4, "three": 1}, {"unfit": 4}]
        )

        def nthreads(self) -> Any:
            if cluster.workers:
                seen.append((cluster.workers, *cluster.allowed))
            answer = next(self.answers, None)
            if isinstance(answer, OSError):
                raise answer
            if answer is None:
                ended.set()
            return answer or {}

        def run(self, function: Any, *, workers: list[str], on_error: str) -> dict[str, Any]:
            assert function is int
            assert on_error == "return"
            return {name: GraderError("no bubblewrap") if name == "unfit" else None for name in workers}

    cluster = ClusterWorkers(Client(), int)
    cluster.watch(ended)
    assert seen == [(3,), (3,), (1, "two"), (1, "three")]
    lines = [record.message for record in caplog.records]
    assert [line for line in lines if "unfit" in line] == [
        "The Dask worker unfit cannot grade and gets no work: no bubblewrap"
    ]
    assert sum("no workers left that can grade" in line for line in lines) == 2


# -- worker processes --------------------------------------------------------------------------------------------------


def test_a_machine_without_room_for_locks_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(worker, "ProcessPoolExecutor", full)
    with pytest.raises(GraderError, match=r"No space left on device.*/dev/shm"):
        worker_processes(1, None)


def test_a_worker_dies_with_the_command_that_started_it(tmp_path: Path) -> None:
    """The system kills it: a worker without work would wait for ever."""
    program = tmp_path / "command.py"
    program.write_text(
        textwrap.dedent(
            """
            import os
            from course_lib.execution.worker import worker_processes

            if __name__ == "__main__":
                print(worker_processes(1, None).submit(os.getpid).result(), flush=True)
                input()
            """
        )
    )
    with subprocess.Popen(
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout is not None
        process = psutil.Process(int(command.stdout.readline()))
        command.kill()
    process.wait(timeout=10)


def test_a_worker_imports_what_grades_and_no_command() -> None:
    """A worker would take a second to import nbgrader, which the program that starts it has imported."""
    import nbgrader  # noqa: F401

    program = sys.modules["__main__"]
    before = {child.pid for child in psutil.Process().children()}
    with worker_processes(1, None) as executor:
        for child in psutil.Process().children():
            if child.pid not in before:
                child.send_signal(signal.SIGINT)  # only the command handles interrupts, from the first moment on
        imported = executor.submit(eval, "{*__import__('sys').modules}").result()
        blocked = executor.submit(signal.pthread_sigmask, signal.SIG_BLOCK, []).result()
        interrupt = executor.submit(signal.getsignal, signal.SIGINT).result()
        reserved, _ = executor.submit(resource.getrlimit, resource.RLIMIT_DATA).result()
    assert "torch" in imported
    assert not {"nbgrader", "torchvision", "matplotlib"} & imported
    assert interrupt is signal.SIG_IGN, "the command ends its workers"
    assert blocked == set(), "kernels get their interrupts"
    assert reserved == worker.MAX_WORKER_MEMORY
    assert sys.modules["__main__"] is program


# -- Dask workers ------------------------------------------------------------------------------------------------------


@pytest.fixture
def on_dask_worker(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Executor]], None]:
    """Let this process be a Dask worker with three threads, which starts its executors by the given function."""
    distributed = pytest.importorskip("distributed")

    def become_worker(start: Callable[..., Executor]) -> None:
        here = SimpleNamespace(state=SimpleNamespace(nthreads=3), address="tcp://there:1")
        monkeypatch.setattr(distributed, "get_worker", lambda: here)
        monkeypatch.setattr(worker, "worker_processes", start)

    return become_worker


def dask_task(library: Path, protection: str = "none") -> Any:
    return [SimpleNamespace(library=library, protection=protection)]


def test_a_cluster_grades_for_two_commands_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_dask_worker: Callable[..., None]
) -> None:
    """A command does not disturb another one; its processes end when it has ended."""
    begun: list[tuple[int, Path | None]] = []
    begun_executors: list[Any] = []

    def start(workers: int, workspace: Path | None) -> Executor:
        begun.append((workers, workspace))
        begun_executors.append(Mock(wraps=ThreadPoolExecutor(workers)))
        return begun_executors[-1]

    def grade(tasks: Any) -> Any:
        return worker.grade_in_child_process(int, tasks)

    on_dask_worker(start)
    monkeypatch.setattr(worker, "grade_submission", lambda tasks: [time.sleep(0.2)])
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder in folders:
        folder.mkdir()
    first, second = (dask_task(folder) for folder in folders[:2])
    with ThreadPoolExecutor(8) as threads:
        graded = [threads.submit(grade, tasks) for tasks in [first, second] * 4]
        assert [future.result() for future in graded] == [[None]] * 8
    assert begun == [(3, None)] * 2, "one executor for each command"
    assert not any(executor.shutdown.called for executor in begun_executors)
    folders[0].rmdir()
    third = dask_task(folders[2], "bubblewrap")
    grade(third)
    assert begun[2:] == [(3, tmp_path)]
    assert [executor.shutdown.called for executor in begun_executors] == [True, False, False]
    begun_executors[2].submit.side_effect = BrokenExecutor
    with pytest.raises(BrokenExecutor):
        grade(third)
    assert grade(third) == [None], "a process that died costs the others nothing"


@pytest.mark.parametrize("missing", ["bubblewrap", "cache", "course", "trainings", "version"])
def test_a_dask_worker_that_cannot_grade_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_dask_worker: Callable[..., None], missing: str
) -> None:
    """Its processes would only die."""
    on_dask_worker(lambda workers, workspace: pytest.fail("started"))
    library = tmp_path / "library"
    if missing == "bubblewrap":
        monkeypatch.setenv("PATH", str(tmp_path))
    elif missing == "cache":
        (tmp_path / "file").touch()
        monkeypatch.setenv("COURSE_LIB_CACHE", str(tmp_path / "file"))
    if missing != "course":
        library.mkdir()
    trainings = tmp_path / "trainings" if missing == "trainings" else tmp_path
    others = versions(all_code=True)
    if missing == "version":
        others[1] = "torch 1.0"
    check = functools.partial(worker.check_machine, folders=[trainings, library], others=others)
    reasons = {
        "bubblewrap": "bubblewrap is missing",
        "cache": "file",
        "course": "library: .*under the same path",
        "trainings": "trainings: .*COURSE_LIB_CACHE",
        "version": "torch 2",
    }
    with pytest.raises(GraderError, match=f"tcp://there:1 cannot grade: .*{reasons[missing]}"):
        worker.grade_in_child_process(functools.partial(check, "bubblewrap"), dask_task(library))
    if missing == "bubblewrap":
        check("none")  # without a sandbox, the worker can grade
