"""Faults of the machine: killed at any moment, locked, full, started twice. A second run ends with the right marks."""

import contextlib
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
from pathlib import Path

import psutil
import pytest
from courses import marks, nbgrader
from sqlalchemy.exc import InvalidRequestError, OperationalError
from tiny_course import ADD, HONEST, WRONG_ADD, hand_in, make_course, notebook, release, written

from course_lib.authoring.errors import GradingFault
from course_lib.records import gradebook

SUBMISSIONS = {
    "anna": (notebook(), HONEST),
    "bruno": (notebook("def add(x):\n    return 0.0"), WRONG_ADD),
    "chloé": (notebook("import os\ndef add(x):\n    os._exit(1)"), WRONG_ADD),
    "david": (notebook(), HONEST),
    "emma": (notebook("import time\ntime.sleep(1)\ndef add(x):\n    return 1 + x"), HONEST),
}


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
    command = [*wrapper, sys.executable, "-m", "nbgrader", "autograde", "tiny"]
    return subprocess.Popen(command, cwd=course, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def assert_a_second_run_mends_it(course: Path) -> None:
    second = nbgrader(course, "autograde", "tiny")
    assert second.returncode == 0, second.stderr
    assert marks(course, "tiny") == {student: expected for student, (_, expected) in SUBMISSIONS.items()}
    assert {p.name for p in (course / "autograded").iterdir() if not p.name.startswith(".")} == set(SUBMISSIONS)
    for student in SUBMISSIONS:
        assert [p.name for p in (course / "autograded" / student).iterdir()] == ["tiny"], "nothing half-written is left"


def victims(command: psutil.Process, kind: str) -> list[psutil.Process]:
    """The processes of a kind that live now."""
    try:
        below = command.children(recursive=True)
        if kind == "grader":
            return [command]
        if kind == "worker":
            return [p for p in below if "spawn_main" in " ".join(p.cmdline())]
        warm = [p for p in below if "course_lib.kernel.fork_server" in p.cmdline() and p.name() != "bwrap"]
        return [p for p in warm if any(p.ppid() == w.pid for w in warm)] if kind == "kernel" else warm
    except psutil.NoSuchProcess:
        return []


def some_victims(process: subprocess.Popen[str], kind: str) -> list[psutil.Process]:
    """The same, looked for until there are some: a process that ends meanwhile hides the others. None after the command."""
    deadline = time.monotonic() + 20
    found: list[psutil.Process] = []
    while not found and process.poll() is None and time.monotonic() < deadline:
        found = victims(psutil.Process(process.pid), kind)
        time.sleep(0.01)
    return found


def kill_at_random(course: Path, kind: str, seed: int) -> None:
    rng = random.Random(seed)
    process = start(course)
    command = psutil.Process(process.pid)
    try:
        time.sleep(rng.uniform(0.2, 14))
        found = some_victims(process, kind)
        below = []
        with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended meanwhile
            below = command.children(recursive=True)
            rng.choice(found or [command]).kill()
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    _, alive = psutil.wait_procs(below, timeout=15)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE], f"left running; {errors}"
    assert_a_second_run_mends_it(course)


@pytest.mark.parametrize(("kind", "seed"), [("grader", 1)])
def test_killed_at_some_moment(course: Path, kind: str, seed: int) -> None:
    kill_at_random(course, kind, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 153))
def test_killed_at_any_moment(course: Path, seed: int) -> None:
    kill_at_random(course, ("grader", "worker", "kernel", "warm")[seed % 4], seed)


@pytest.mark.long
def test_a_locked_gradebook_is_waited_for(course: Path) -> None:
    lock = sqlite3.connect(course / "gradebook.db", check_same_thread=False)
    lock.execute("begin exclusive")
    release = threading.Timer(35, lock.rollback)
    release.start()
    assert_a_second_run_mends_it(course)  # the first one, in fact
    release.join()
    lock.close()


@pytest.mark.usefixtures("alembic")
def test_of_a_class_only_the_first_submission_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradebook, "PATIENCE", 0.1)
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    book = gradebook.CourseGradebook(f"sqlite:///{tmp_path / 'gradebook.db'}", "course", logging.getLogger())

    def locked(_: object) -> None:
        raise OperationalError("", {}, Exception("database is locked"))

    waited = []
    for _ in range(3):
        with pytest.raises(GradingFault, match="locked by another program"):
            book._patiently(locked)
        waited.append(bool(naps))
        naps.clear()
    assert waited == [True, False, False]


@pytest.mark.parametrize("damage", ["a part of it", "a folder"])
def test_a_gradebook_that_cannot_be_used_is_named_with_the_way_out(course: Path, damage: str) -> None:
    book = course / "gradebook.db"
    content = book.read_bytes()
    book.unlink()
    if damage == "a folder":
        book.mkdir()
    else:
        book.write_bytes(content[:3000])
    run = nbgrader(course, "autograde", "tiny")
    assert run.returncode != 0
    assert re.search(r"gradebook\.db: .*put a copy of it back", run.stderr)
    assert "sqlalche.me" not in run.stderr


@pytest.mark.usefixtures("alembic")
def test_an_interrupt_while_a_transaction_ends_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLAlchemy may then refuse to roll back: "This transaction is closed"."""
    book = gradebook.CourseGradebook(f"sqlite:///{tmp_path / 'gradebook.db'}", "course", logging.getLogger())

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    def refuse() -> None:
        raise InvalidRequestError("This transaction is closed")

    monkeypatch.setattr(book, "_forget", refuse)
    with pytest.raises(KeyboardInterrupt):
        book._patiently(interrupted)


def test_started_twice_the_second_says_so(course: Path) -> None:
    first = start(course)
    while not list((course / "autograded").glob(".*lock")) and first.poll() is None:
        time.sleep(0.05)
    second = nbgrader(course, "autograde", "tiny")
    assert second.returncode != 0
    assert "another" in second.stderr
    _, errors = first.communicate()
    assert first.returncode == 0, errors
    assert marks(course, "tiny") == {student: expected for student, (_, expected) in SUBMISSIONS.items()}


def test_a_killed_worker_costs_nobody_a_grade(course: Path) -> None:
    """The same command grades again what it was at, and what it had before it."""
    for student in ("frank", "gaëlle"):  # there is still work to do when the first result is there
        hand_in(course, student, written(notebook(f"import time\ntime.sleep(4)\n{ADD}\n# {student}")))
    process = start(course)
    while not list((course / "autograded").glob("*/tiny")) and process.poll() is None:
        time.sleep(0.02)
    some_victims(process, "worker")[0].kill()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    expected = {student: expected for student, (_, expected) in SUBMISSIONS.items()}
    assert marks(course, "tiny") == expected | {"frank": HONEST, "gaëlle": HONEST}


@pytest.mark.long
def test_a_full_disk_is_said_and_nothing_is_lost(course: Path) -> None:
    """The folder of the results has room for one or two of them."""
    full = course / "autograded"
    full.mkdir(exist_ok=True)
    wrapper = ["bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--size", "16384", "--tmpfs", str(full)]
    process = start(course, *wrapper)
    _, errors = process.communicate()
    assert process.returncode != 0
    assert re.search(r"No space left on device: '.*autograded/.*'", errors), errors
    assert_a_second_run_mends_it(course)


@pytest.mark.long
def test_an_interrupted_command_leaves_nothing_running(course: Path) -> None:
    process = start(course, "env", "--default-signal=INT")  # what runs in the background may ignore it
    command = psutil.Process(process.pid)
    while not victims(command, "warm") and process.poll() is None:
        time.sleep(0.1)
    below = command.children(recursive=True)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "goes on with the rest" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    _, alive = psutil.wait_procs(below, timeout=15)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
    assert_a_second_run_mends_it(course)
