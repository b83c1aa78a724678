"""nbgrader's exchange, with the real commands: from the instructor to the student, back, and the feedback again."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from course_lib.execution.submission_files import read_receipt
from course_lib.nbgrader_plugins import exchange
from course_lib.nbgrader_plugins.exchange import copy_submission, timestamp_doubt
from tests.support import tiny_course
from tests.support.courses import configure, marks, nbgrader
from tests.support.tiny_course import HONEST, notebook, written

RIGHT = written(notebook())
BAD_FOLDERS = ("eve+tiny+someday+x", "+tiny+2026-11-03 10:00:00 UTC+x")
"""Folders in the exchange that `nbgrader submit` cannot have made: a date that is none, a student without a name."""


class Round:
    """A course, a student's folder, and the exchange between them."""

    def __init__(self, base: Path) -> None:
        self.course, self.home, self.exchange = base / "course", base / "anna", base / "exchange"
        self.log: dict[str, str] = {}
        """What each command wrote to the terminal."""
        self.home.mkdir()
        self.exchange.mkdir()
        self.exchange.chmod(0o777)
        tiny_course.make_course(self.course, {})
        configure(self.course, f"c.Exchange.root = {str(self.exchange)!r}")
        (self.home / "nbgrader_config.py").write_text("c = get_config()\n")
        configure(
            self.home,
            "c.CourseDirectory.course_id = 'deep_learning'",
            f"c.Exchange.root = {str(self.exchange)!r}",
            f"c.Exchange.cache = {str(base / 'cache')!r}",
        )

    def run(self, folder: Path, *arguments: str) -> None:
        done = nbgrader(folder, *arguments)
        assert done.returncode == 0, done.stderr
        self.log[arguments[0]] = done.stderr


def set_traps(inbound: Path, source: Path) -> None:
    """Put submissions into the exchange by hand, beside anna's: links to the answers, a pipe, impossible names."""
    [anna] = inbound.iterdir()
    folder_link = inbound / anna.name.replace("anna+", "thief_of_folders+")
    folder_link.symlink_to(source)
    for student in ("thief", "pipe"):
        folder = inbound / anna.name.replace("anna+", f"{student}+")
        shutil.copytree(anna, folder)
        (folder / "tiny.ipynb").unlink()
        if student == "thief":
            (folder / "tiny.ipynb").symlink_to(source / "tiny.ipynb")
        else:
            os.mkfifo(folder / "tiny.ipynb")
    for name in BAD_FOLDERS:
        shutil.copytree(anna, inbound / name)


@pytest.fixture(scope="module")
def round_trip(tmp_path_factory: pytest.TempPathFactory) -> Round:
    base = tmp_path_factory.mktemp("exchange")
    with pytest.MonkeyPatch.context() as patch:  # no Jupyter configuration of this machine
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_PATH"):
            patch.setenv(name, str(base / name.lower()))
        trip = Round(base)
        trip.run(trip.course, "generate_assignment", "tiny")
        trip.run(trip.course, "release_assignment", "tiny")
        trip.run(trip.home, "fetch_assignment", "tiny")
        (trip.home / "tiny" / "tiny.ipynb").write_bytes(RIGHT)
        trip.run(trip.home, "submit", "tiny", "--student=anna")
        set_traps(trip.exchange / "deep_learning" / "inbound", trip.course / "source" / "tiny")
        tiny_course.hand_in(trip.course, "late_by_mail", RIGHT)
        trip.run(trip.course, "collect", "tiny")
        trip.run(trip.course, "autograde", "tiny")
        trip.run(trip.course, "generate_feedback", "tiny")
        trip.run(trip.course, "release_feedback", "tiny")
        trip.run(trip.home, "fetch_feedback", "tiny", "--student=anna")
    return trip


def test_a_fetched_assignment_has_only_what_it_needs(round_trip: Round) -> None:
    """The notebook does not import course_lib, so the library and MNIST are not copied to each student."""
    folder = round_trip.home / "tiny"
    assert not (folder / "course_lib").exists()
    assert os.access(folder / "tiny.ipynb", os.W_OK)


def test_a_submission_comes_back_graded(round_trip: Round) -> None:
    assert marks(round_trip.course, "tiny") == {"anna": HONEST, "late_by_mail": HONEST}
    [page] = (round_trip.home / "tiny" / "feedback").rglob("*.html")
    assert "add ajoute 1." in page.read_text()


def test_only_the_files_that_count_are_collected(round_trip: Round) -> None:
    """MNIST would be copied once for each student."""
    collected = {path.name for path in (round_trip.course / "submitted" / "anna" / "tiny").iterdir()}
    assert collected == {"tiny.ipynb", "timestamp.txt", "submission_secret.txt"}


def test_traps_in_the_exchange_stop_nobody_and_are_named(round_trip: Round) -> None:
    submitted = {path.name for path in (round_trip.course / "submitted").iterdir() if any(path.rglob("*.ipynb"))}
    assert submitted == {"anna", "late_by_mail"}
    errors = [line for line in round_trip.log["collect"].splitlines() if "ERROR" in line]
    for name in ("thief+", "thief_of_folders+", "pipe+", "eve+", "/+tiny"):
        assert any(name in line for line in errors), (name, errors)
    assert len(errors) == 5


def test_feedback_skips_students_outside_the_exchange(round_trip: Round) -> None:
    assert "late_by_mail" in round_trip.log["release_feedback"]


def test_a_submission_dated_back_is_named(tmp_path: Path) -> None:
    """The late penalty depends on the time stamp, a file that the student can change."""
    stamp = tmp_path / "timestamp.txt"
    for minutes, named in ((0, ""), (50, ""), (70, "was changed at")):
        written_there = datetime.now(UTC) - timedelta(minutes=minutes)
        stamp.write_text(f"{written_there:%Y-%m-%d %H:%M:%S.%f} UTC")
        os.utime(tmp_path, (0, 0))
        assert bool(timestamp_doubt(str(tmp_path))) == bool(named)
        assert timestamp_doubt(str(tmp_path)).startswith(named)
    stamp.write_text("yesterday")
    assert "never counts as late" in timestamp_doubt(str(tmp_path))
    stamp.unlink()
    assert "never counts as late" in timestamp_doubt(str(tmp_path))


def test_no_more_is_copied_than_a_student_may_submit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MAX_UPLOAD", 1000)
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    for name in ("a.ipynb", "b.ipynb", "mnist.gz"):
        (source / name).write_bytes(bytes(500))
    copy_submission(str(source), target)
    assert {path.name for path in target.iterdir()} == {"a.ipynb", "b.ipynb"}
    (source / "c.ipynb").write_bytes(b"1")
    with pytest.raises(ValueError, match=r"c\.ipynb"):
        copy_submission(str(source), target)


def test_an_invalid_secret_is_ignored(tmp_path: Path) -> None:
    """`release_feedback` would stop for everyone at a secret that is empty or not a text."""
    (tmp_path / "timestamp.txt").write_text("2026-11-03 10:00:00 UTC")
    secret = tmp_path / "submission_secret.txt"
    for written_there, kept in ((b"0123456789abcdef", True), (b"\xff\xfe", False), (b"", False), (b"a" * 1001, False)):
        secret.write_bytes(written_there)
        assert ("submission_secret.txt" in read_receipt(tmp_path)) is kept
    secret.unlink()
    assert [*read_receipt(tmp_path)] == ["timestamp.txt"]
