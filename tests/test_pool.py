"""Submissions are handed out a few at a time; a worker that dies costs nobody else anything."""

import errno
import functools
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import psutil
import pytest

from course_lib.authoring.errors import AssignmentError, GradingFault
from course_lib.execution import worker
from course_lib.execution.cache_key import versions
from course_lib.execution.executors import AHEAD, ClusterCrew, Crew, Pool, _watch_workers, cluster_pool, local_pool
from course_lib.execution.worker import worker_processes
from course_lib.nbgrader_plugins.autograde import JudgedAutograde


class Breakable(ThreadPoolExecutor):
    """Breaks for good at a submission called `killer`, as a process pool does when a worker is killed."""

    broken = False

    def submit(self, function: Any, jobs: Any) -> Any:
        if self.broken:
            raise BrokenExecutor
        return super().submit(self._run, function, jobs)

    def _run(self, function: Any, jobs: Any) -> Any:
        if "killer" in jobs[0]:
            self.broken = True
        if self.broken:
            raise BrokenExecutor
        return function(jobs)


@pytest.fixture
def started() -> list[Executor]:
    return []


def pool_of(started: list[Executor], grade: Any) -> Pool:
    @contextmanager
    def start() -> Iterator[tuple[Executor, Crew]]:
        with Breakable(2) as executor:
            started.append(executor)
            yield executor, Crew(2)

    return Pool(start, grade)


def test_a_cache_without_room_for_mnist_is_no_worker_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").touch()
    monkeypatch.setenv("COURSE_LIB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(OSError, match=r"cache/MNIST"), local_pool(1, tmp_path):
        pass


def test_a_job_with_a_few_cores_of_a_machine_starts_as_many_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each of a large machine's cores would be killed for want of memory."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {5, 9}, raising=False)
    assert JudgedAutograde()._workers == 2


def test_a_machine_without_room_for_locks_is_told_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(worker, "ProcessPoolExecutor", full)
    with pytest.raises(GradingFault, match=r"No space left on device: .*/dev/shm"):
        worker_processes(1, None)


def test_one_killer_costs_only_itself(started: list[Executor]) -> None:
    names = [f"student {i}" for i in range(20)]
    names.insert(7, "killer")
    with pool_of(started, lambda jobs: [jobs[0].upper()]) as pool:
        outcomes = dict(pool.grade_all((name, [name]) for name in names))
    assert isinstance(outcomes.pop("killer"), GradingFault)
    assert outcomes == {name: [name.upper()] for name in names if name != "killer"}
    assert len(started) > 1


def test_a_worker_that_is_killed_over_a_single_submission_has_a_way_out(started: list[Executor]) -> None:
    """The source notebook, or an appeal: Python's own message names none."""
    with pool_of(started, lambda jobs: jobs) as pool:
        with pytest.raises(GradingFault, match="run the command again"):
            pool.grade(["killer"])
        assert pool.grade(["anna"]) == ["anna"]  # type: ignore[list-item, comparison-overlap]


def test_who_was_on_dask_workers_that_died_over_another_is_graded_alone() -> None:
    """Dask gives up on all that was on several workers that died, the innocent included."""
    killed = pytest.importorskip("distributed.scheduler").KilledWorker
    tried: list[str] = []

    def grade(jobs: Any) -> Any:
        tried.append(jobs[0])
        if jobs[0] == "killer" or tried.count(jobs[0]) < 2:
            raise killed("task", SimpleNamespace(address="tcp://there:1"), 3)
        return jobs

    @contextmanager
    def start() -> Iterator[tuple[Executor, Crew]]:
        with ThreadPoolExecutor(2) as executor:
            yield executor, Crew(2)

    with Pool(start, grade) as pool:
        outcomes = dict(pool.grade_all((name, [name]) for name in ("anna", "killer")))
    assert isinstance(outcomes["killer"], GradingFault)
    assert outcomes["anna"] == ["anna"]


def test_a_fault_is_handed_on_with_its_name(started: list[Executor]) -> None:
    def grade(jobs: Any) -> Any:
        if jobs[0] == "bad":
            raise GradingFault("of one test")
        if jobs[0] == "worse":
            raise ValueError
        return [jobs[0]]

    with pool_of(started, grade) as pool:
        outcomes = dict(pool.grade_all((name, [name]) for name in ("a", "bad", "worse", "b")))
    assert isinstance(outcomes["bad"], GradingFault)
    assert isinstance(outcomes["worse"], ValueError)
    assert (outcomes["a"], outcomes["b"]) == (["a"], ["b"])


def test_few_submissions_are_in_memory(started: list[Executor]) -> None:
    """However many there are."""
    taken, done, most = 0, 0, 0
    lock = threading.Lock()

    def work() -> Iterator[tuple[str, Any]]:
        nonlocal taken
        for i in range(100):
            taken += 1
            yield str(i), [str(i)]

    def grade(jobs: Any) -> Any:
        nonlocal most
        with lock:
            most = max(most, taken - done)
        return jobs

    with pool_of(started, grade) as pool:
        for _ in pool.grade_all(work()):
            done += 1
    assert done == 100
    assert most <= 2 * AHEAD + 2


def test_workers_that_come_late_get_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while the first one is long at its submissions."""
    monkeypatch.setattr("course_lib.execution.executors.CONNECT", 0.05)
    crew, handed_over, enough = Crew(1), [], threading.Event()

    class Cluster(ThreadPoolExecutor):
        def submit(self, *arguments: Any) -> Any:
            handed_over.append(arguments)
            if len(handed_over) == AHEAD:
                crew.workers = 4
            if len(handed_over) == 4 * AHEAD:
                enough.set()
            return super().submit(*arguments)

    @contextmanager
    def start() -> Iterator[tuple[Executor, Crew]]:
        with Cluster(4) as executor:
            yield executor, crew

    with Pool(start, lambda _: [enough.wait(5)]) as pool:  # type: ignore[arg-type, list-item]
        outcomes = dict(pool.grade_all((str(i), []) for i in range(20)))
    assert set(map(str, outcomes.values())) == {"[True]"}


def test_nothing_starts_before_it_is_needed(started: list[Executor]) -> None:
    with pool_of(started, None):
        pass
    assert started == []


def test_a_scheduler_that_is_not_there_is_named(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("course_lib.execution.executors.CONNECT", 0.5)
    for content in ("", "[]", "{}"):
        (tmp_path / f"{content}.json").write_text(content)
    files = ("scheduler.json", ".json", "[].json", "{}.json")
    for address in ("tcp://127.0.0.1:9", *(str(tmp_path / name) for name in files)):
        with pytest.raises(AssignmentError, match="no Dask scheduler"), cluster_pool(address, int):
            pass


def test_a_lost_scheduler_ends_the_run_with_one_line() -> None:
    """Dask then cancels what is under way, and whatever comes after it."""

    class Cancelling(ThreadPoolExecutor):
        def submit(self, function: Any, *arguments: Any) -> Any:
            future: Future[Any] = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    @contextmanager
    def start() -> Iterator[tuple[Executor, Crew]]:
        yield Cancelling(1), Crew(1)

    with pytest.raises(BrokenExecutor, match="scheduler has ended"), Pool(start) as pool:
        list(pool.grade_all((name, []) for name in ("a", "b")))
    with pytest.raises(BrokenExecutor, match="scheduler has ended"), Pool(start) as pool:
        pool.grade([])


def test_a_cluster_is_looked_at_again_and_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Workers come, some of them cannot grade, all go: nothing is waited for in silence."""
    monkeypatch.setattr("course_lib.execution.executors.CONNECT", 0.01)
    ended, seen = threading.Event(), []

    class Client:
        there = iter([{"one": 2, "two": 1}, OSError(), {"two": 1, "unfit": 4}, {"unfit": 4, "three": 1}, {"unfit": 4}])

        def nthreads(self) -> Any:
            if self.crew.workers:
                seen.append((self.crew.workers, *self.crew.only))
            answer = next(self.there, None)
            if isinstance(answer, OSError):
                raise answer
            if answer is None:
                ended.set()
            return answer or {}

        def run(self, function: Any, *, workers: list[str], on_error: str) -> dict[str, Any]:
            assert function is int
            assert on_error == "return"
            return {name: GradingFault("no bubblewrap") if name == "unfit" else None for name in workers}

    client = Client()
    client.crew = crew = ClusterCrew(client, int)  # type: ignore[attr-defined]
    _watch_workers(crew, ended)
    assert seen == [(3,), (3,), (1, "two"), (1, "three")]
    said = [record.message for record in caplog.records]
    assert [line for line in said if "unfit" in line] == [
        "The Dask worker unfit cannot grade, and gets no work: no bubblewrap"
    ]
    assert sum("no workers any more that can grade" in line for line in said) == 2


def test_a_worker_ends_with_the_command_that_started_it() -> None:
    # by the system: a worker that only waits for work would wait for ever
    started = "from course_lib.execution.worker import worker_processes as w\nimport os\npool = w(1, None)\n"
    script = f"{started}if __name__ == '__main__': print(pool.submit(os.getpid).result(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout is not None
        worker = psutil.Process(int(command.stdout.readline()))
        command.kill()
    worker.wait(timeout=10)


def test_a_worker_imports_what_grades_and_no_command() -> None:
    """Nbgrader takes a second to import, in each worker; the program that starts them has it."""
    import nbgrader  # noqa: F401

    program = sys.modules["__main__"]
    with worker_processes(1, None) as executor:
        for pid in executor._processes:
            os.kill(pid, signal.SIGINT)  # an interrupt is for the command, from the first moment on
        imported = executor.submit(eval, "{*__import__('sys').modules}").result()
        blocked = executor.submit(signal.pthread_sigmask, signal.SIG_BLOCK, []).result()
        interrupt = executor.submit(signal.getsignal, signal.SIGINT).result()
        reserved, _ = executor.submit(resource.getrlimit, resource.RLIMIT_DATA).result()
    assert "torch" in imported
    assert not {"nbgrader", "torchvision", "matplotlib"} & imported
    assert interrupt is signal.SIG_IGN, "it is for the command, which ends its workers"
    assert blocked == set(), "kernels get theirs"
    assert reserved == worker.MEMORY
    assert sys.modules["__main__"] is program


def test_a_cluster_grades_for_two_commands_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one of them starts cancels nothing of the other; the processes of a command go when it has ended."""
    distributed = pytest.importorskip("distributed")
    begun = []

    def start(workers: int, room: Path | None) -> ThreadPoolExecutor:
        begun.append((workers, room))
        return ThreadPoolExecutor(workers)

    monkeypatch.setattr(distributed, "get_worker", lambda: SimpleNamespace(state=SimpleNamespace(nthreads=3)))
    monkeypatch.setattr(worker, "_pools", {})
    monkeypatch.setattr(worker, "grade_submission", lambda jobs: [time.sleep(0.2)])
    monkeypatch.setattr(worker, "worker_processes", start)
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder in folders:
        folder.mkdir()
    jobs = [[SimpleNamespace(library=folder, protection="none")] for folder in folders]
    with ThreadPoolExecutor(8) as tasks:
        graded = [tasks.submit(worker.grade_in_a_process_of_its_own, int, jobs[i % 2]) for i in range(8)]
        assert [future.result() for future in graded] == [[None]] * 8
    assert set(worker._pools) == set(folders[:2])
    folders[0].rmdir()
    jobs[2][0].protection = "bubblewrap"
    worker.grade_in_a_process_of_its_own(int, jobs[2])
    assert set(worker._pools) == set(folders[1:])
    assert begun == [(3, None), (3, None), (3, tmp_path)]
    monkeypatch.setattr(worker._pools[folders[2]], "submit", Mock(side_effect=BrokenExecutor))
    with pytest.raises(BrokenExecutor):
        worker.grade_in_a_process_of_its_own(int, jobs[2])
    assert worker.grade_in_a_process_of_its_own(int, jobs[2]) == [None], "a process that died costs the others nothing"


@pytest.mark.parametrize("lacking", ["bubblewrap", "cache", "course", "trainings", "version"])
def test_a_dask_worker_that_cannot_grade_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    """Its processes would only die."""
    distributed = pytest.importorskip("distributed")
    here = SimpleNamespace(state=SimpleNamespace(nthreads=1), address="tcp://there:1")
    monkeypatch.setattr(distributed, "get_worker", lambda: here)
    monkeypatch.setattr(worker, "_pools", {})
    monkeypatch.setattr(worker, "worker_processes", lambda workers, room: pytest.fail("started"))
    library = tmp_path / "library"
    if lacking == "bubblewrap":
        monkeypatch.setenv("PATH", str(tmp_path))
    elif lacking == "cache":
        (tmp_path / "file").touch()
        monkeypatch.setenv("COURSE_LIB_CACHE", str(tmp_path / "file"))
    if lacking != "course":
        library.mkdir()
    trainings, others = tmp_path / "trainings" if lacking == "trainings" else tmp_path, versions()
    if lacking == "version":
        others[1] = "torch 1.0"
    check = functools.partial(worker.check_machine, folders=[trainings, library], others=others)
    named = {"bubblewrap": "bubblewrap is missing", "cache": "file", "course": "library: .*under one path",
             "trainings": "trainings: .*one COURSE_LIB_CACHE", "version": "torch 2"}  # fmt: skip
    said = named[lacking]
    with pytest.raises(GradingFault, match=f"tcp://there:1 cannot grade: .*{said}"):
        worker.grade_in_a_process_of_its_own(
            functools.partial(check, "bubblewrap"),
            [SimpleNamespace(library=library)],
        )
    if lacking == "bubblewrap":  # which nobody needs then
        check("none")
