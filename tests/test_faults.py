"""Faults of the machine: killed processes, a locked gradebook, a full disk. A second run gives the right marks."""

import contextlib
import itertools
import logging
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from nbgrader.api import Gradebook
from sqlalchemy.exc import InvalidRequestError, OperationalError
from sqlalchemy.orm import scoped_session

from course_lib.records.gradebook import CourseGradebook
from course_lib.results.errors import GraderError
from tests.support.code import code
from tests.support.courses import marks, nbgrader
from tests.support.tiny_course import (
    ADD,
    HONEST,
    WRONG_ADD,
    WRONG_ANSWER,
    hand_in,
    make_course,
    notebook,
    release,
    written,
)

DIES = code("""
    import os
    def add(x):
        os._exit(1)
""")
SLOW = code("""
    import time
    time.sleep(1)
    def add(x):
        return 1 + x
""")
SUBMISSIONS = {
    "anna": (notebook(), HONEST),
    "bruno": (notebook(WRONG_ANSWER), WRONG_ADD),
    "chloé": (notebook(DIES), WRONG_ADD),
    "david": (notebook(), HONEST),
    "emma": (notebook(SLOW), HONEST),
}
"""Notebooks and their marks, by student."""
EXPECTED = {student: expected for student, (_, expected) in SUBMISSIONS.items()}


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults") / "course"
    make_course(folder, {"cell": 10, "question": 5}, workers=2)
    for student, (node, _) in SUBMISSIONS.items():
        hand_in(folder, student, written(node))
    release(folder)
    return folder


@pytest.fixture
def course(released: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(released, tmp_path / "course"))


def start(course: Path, *wrapper: str) -> subprocess.Popen[str]:
    """Start `nbgrader autograde`, by a ``wrapper`` command if there is one."""
    command = [*wrapper, sys.executable, "-m", "nbgrader", "autograde", "tiny"]
    return subprocess.Popen(command, cwd=course, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def assert_the_next_run_completes(course: Path) -> None:
    """Run the command, and check that every mark and every file is as if nothing had happened before."""
    run = nbgrader(course, "autograde", "tiny")
    assert run.returncode == 0, run.stderr
    assert marks(course, "tiny") == EXPECTED
    assert {p.name for p in (course / "autograded").iterdir() if not p.name.startswith(".")} == set(SUBMISSIONS)
    for student in SUBMISSIONS:
        assert [p.name for p in (course / "autograded" / student).iterdir()] == ["tiny"], (
            "no half-written folder is left"
        )


def victims(command: psutil.Process, kind: str) -> list[psutil.Process]:
    """Return the command's living processes of a kind: "grader", "worker", "fork server" or "kernel"."""
    try:
        below = command.children(recursive=True)
        if kind == "grader":
            return [command]
        if kind == "worker":
            return [p for p in below if "spawn_main" in " ".join(p.cmdline())]
        servers = [p for p in below if "course_lib.kernel.fork_server" in p.cmdline() and p.name() != "bwrap"]
        kernels = [p for p in servers if any(p.ppid() == server.pid for server in servers)]
        return kernels if kind == "kernel" else servers
    except psutil.NoSuchProcess:
        return []


def some_victims(process: subprocess.Popen[str], kind: str) -> list[psutil.Process]:
    """Look for processes of a kind until there are some; return none if the command ends first.

    One look is not enough, because a process that ends meanwhile hides the others.
    """
    deadline = time.monotonic() + 20
    found: list[psutil.Process] = []
    while not found and process.poll() is None and time.monotonic() < deadline:
        found = victims(psutil.Process(process.pid), kind)
        time.sleep(0.01)
    return found


def kill_at_random(course: Path, kind: str, seed: int) -> None:
    """Kill a process of a kind at a random time: nothing keeps running, and the next run completes the class."""
    rng = random.Random(seed)
    process = start(course)
    command = psutil.Process(process.pid)
    try:
        time.sleep(rng.uniform(0.2, 14))
        found = some_victims(process, kind)
        below = []
        with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended
            below = command.children(recursive=True)
            rng.choice(found or [command]).kill()
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    _, alive = psutil.wait_procs(below, timeout=15)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE], f"left running; {errors}"
    assert_the_next_run_completes(course)


def test_a_killed_command_loses_nothing(course: Path) -> None:
    kill_at_random(course, "grader", seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 153))
def test_a_process_killed_at_any_time_loses_nothing(course: Path, seed: int) -> None:
    kill_at_random(course, ("grader", "worker", "kernel", "fork server")[seed % 4], seed)


@pytest.mark.long
def test_a_command_waits_for_a_locked_gradebook(course: Path) -> None:
    lock = sqlite3.connect(course / "gradebook.db", check_same_thread=False)
    lock.execute("begin exclusive")
    unlock = threading.Timer(35, lock.rollback)
    unlock.start()
    assert_the_next_run_completes(course)
    unlock.join()
    lock.close()


@pytest.fixture
def gradebook(tmp_path: Path, alembic: None) -> Iterator[CourseGradebook]:
    """An empty gradebook."""
    with CourseGradebook(f"sqlite:///{tmp_path / 'gradebook.db'}", "course", logging.getLogger()) as gradebook:
        yield gradebook


def test_only_the_first_submission_waits_for_a_lock(
    gradebook: CourseGradebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The waiting time is for the whole class, so a lock that stays does not cost it for each student again."""
    naps: list[float] = []
    ticks = itertools.count()

    def monotonic() -> float:
        return sum(naps) + next(ticks) / 1e6

    def locked(_: Gradebook) -> None:
        raise OperationalError("", {}, Exception("database is locked"))

    monkeypatch.setattr(time, "monotonic", monotonic)
    monkeypatch.setattr(time, "sleep", naps.append)
    monkeypatch.setattr(Gradebook, "students", property(locked))
    waited = []
    for _ in range(3):
        before = len(naps)
        with pytest.raises(GraderError, match="locked by another program"):
            gradebook.add_students({"anna": "Anna"})
        waited.append(len(naps) > before)
    assert waited == [True, False, False]


@pytest.mark.parametrize("damage", ["a part of it", "a folder"])
def test_the_message_on_a_damaged_gradebook_says_how_to_fix_it(course: Path, damage: str) -> None:
    book = course / "gradebook.db"
    content = book.read_bytes()
    book.unlink()
    if damage == "a folder":
        book.mkdir()
    else:
        book.write_bytes(content[:3000])
    run = nbgrader(course, "autograde", "tiny")
    assert run.returncode != 0
    assert re.search(r"gradebook\.db: .*restore a backup of it", run.stderr)
    assert "sqlalche.me" not in run.stderr


def test_an_interrupt_during_a_commit_is_an_interrupt(
    gradebook: CourseGradebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLAlchemy may then refuse to roll back with "This transaction is closed": that error must not hide it."""

    def interrupted(_: Gradebook) -> None:
        raise KeyboardInterrupt

    def refuse(_: object) -> None:
        raise InvalidRequestError("This transaction is closed")

    monkeypatch.setattr(Gradebook, "students", property(interrupted))
    monkeypatch.setattr(scoped_session, "rollback", refuse)
    with pytest.raises(KeyboardInterrupt):
        gradebook.add_students({"anna": "Anna"})


def test_a_second_command_at_the_same_time_is_refused(course: Path) -> None:
    first = start(course)
    while not list((course / "autograded").glob(".*lock")) and first.poll() is None:
        time.sleep(0.05)
    second = nbgrader(course, "autograde", "tiny")
    assert second.returncode != 0
    assert "already running" in second.stderr
    _, errors = first.communicate()
    assert first.returncode == 0, errors
    assert marks(course, "tiny") == EXPECTED


@pytest.mark.long
def test_a_killed_worker_costs_nobody_a_grade(course: Path) -> None:
    """The command grades the submissions of the killed worker again."""
    for student in ("frank", "gaëlle"):  # two slow submissions are still waiting when the first one is graded
        hand_in(course, student, written(notebook(f"import time; time.sleep(4)\n{ADD}\n# {student}")))
    process = start(course)
    while not list((course / "autograded").glob("*/tiny")) and process.poll() is None:
        time.sleep(0.02)
    some_victims(process, "worker")[0].kill()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert marks(course, "tiny") == EXPECTED | {"frank": HONEST, "gaëlle": HONEST}


@pytest.mark.long
def test_a_full_disk_is_reported_and_nothing_is_lost(course: Path) -> None:
    """The folder for the results has room for one or two of them."""
    full = course / "autograded"
    full.mkdir(exist_ok=True)
    wrapper = ["bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--size", "16384", "--tmpfs", str(full)]
    process = start(course, *wrapper)
    _, errors = process.communicate()
    assert process.returncode != 0
    assert re.search(r"No space left on device: '.*autograded/.*'", errors), errors
    assert_the_next_run_completes(course)


@pytest.mark.long
def test_an_interrupted_command_leaves_nothing_running(course: Path) -> None:
    process = start(course, "env", "--default-signal=INT")  # a background shell may have disabled interrupts
    command = psutil.Process(process.pid)
    while not victims(command, "fork server") and process.poll() is None:
        time.sleep(0.1)
    below = command.children(recursive=True)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "the same command grades the rest" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    _, alive = psutil.wait_procs(below, timeout=15)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
    assert_the_next_run_completes(course)
