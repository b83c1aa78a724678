"""nbgrader's exchange in a local folder: from the instructor to the student, back, and back again, by the real commands."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import tiny_course
from courses import configure, marks, nbgrader
from tiny_course import HONEST, notebook, written

from course_lib.execution.submission_files import read_receipt
from course_lib.nbgrader_plugins import exchange
from course_lib.nbgrader_plugins.exchange import _copy_plain, _doubt

RIGHT = written(notebook())


class Round:
    """A course, a student's folder, and the exchange between them."""

    def __init__(self, base: Path) -> None:
        self.course, self.home, self.exchange = base / "course", base / "anna", base / "exchange"
        self.said: dict[str, str] = {}
        self.home.mkdir()
        self.exchange.mkdir()
        self.exchange.chmod(0o777)
        tiny_course.make_course(self.course, {})
        configure(self.course, f"c.Exchange.root = {str(self.exchange)!r}")
        (self.home / "nbgrader_config.py").write_text(
            f"c = get_config()\nc.CourseDirectory.course_id = 'deep_learning'\n"
            f"c.Exchange.root = {str(self.exchange)!r}\nc.Exchange.cache = {str(base / 'cache')!r}\n"
        )

    def run(self, folder: Path, *arguments: str) -> None:
        done = nbgrader(folder, *arguments)
        assert done.returncode == 0, done.stderr
        self.said[arguments[0]] = done.stderr


@pytest.fixture(scope="module")
def round_trip(tmp_path_factory: pytest.TempPathFactory) -> Round:
    base = tmp_path_factory.mktemp("exchange")
    with pytest.MonkeyPatch.context() as patch:  # no configuration of this machine
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_PATH"):
            patch.setenv(name, str(base / name.lower()))
        trip = Round(base)
        trip.run(trip.course, "generate_assignment", "tiny")
        trip.run(trip.course, "release_assignment", "tiny")
        trip.run(trip.home, "fetch_assignment", "tiny")
        (trip.home / "tiny" / "tiny.ipynb").write_bytes(RIGHT)
        trip.run(trip.home, "submit", "tiny", "--student=anna")
        inbound = trip.exchange / "deep_learning" / "inbound"
        [anna] = inbound.iterdir()
        for student in ("thief", "thief_of_folders", "pipe"):  # who put something there by hand
            theirs = inbound / anna.name.replace("anna+", f"{student}+")
            if student == "thief_of_folders":
                theirs.symlink_to(trip.course / "source" / "tiny")
                continue
            shutil.copytree(anna, theirs)
            (theirs / "tiny.ipynb").unlink()
            if student == "thief":
                (theirs / "tiny.ipynb").symlink_to(trip.course / "source" / "tiny" / "tiny.ipynb")
            else:
                os.mkfifo(theirs / "tiny.ipynb")
        for name in ("eve+tiny+someday+x", "+tiny+2026-11-03 10:00:00 UTC+x"):
            shutil.copytree(anna, inbound / name)
        tiny_course.hand_in(trip.course, "late_by_mail", RIGHT)
        trip.run(trip.course, "collect", "tiny")
        trip.run(trip.course, "autograde", "tiny")
        trip.run(trip.course, "generate_feedback", "tiny")
        trip.run(trip.course, "release_feedback", "tiny")
        trip.run(trip.home, "fetch_feedback", "tiny", "--student=anna")
    return trip


def test_a_fetched_assignment_has_its_library_beside_it(round_trip: Round) -> None:
    folder = round_trip.home / "tiny"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", "from importlib.util import find_spec; print(find_spec('course_lib').origin)"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).resolve().parent == (folder / "course_lib").resolve()
    files = {path.name for path in (folder / "course_lib" / "mnist_files").iterdir()}
    assert "train-images-idx3-ubyte.gz" in files
    assert os.access(folder / "tiny.ipynb", os.W_OK)


def test_what_was_handed_in_comes_back_graded(round_trip: Round) -> None:
    assert marks(round_trip.course, "tiny") == {"anna": HONEST, "late_by_mail": HONEST}
    [page] = (round_trip.home / "tiny" / "feedback").rglob("*.html")
    assert "add ajoute 1." in page.read_text()
    collected = {path.name for path in (round_trip.course / "submitted" / "anna" / "tiny").iterdir()}
    assert collected == {"tiny.ipynb", "timestamp.txt", "submission_secret.txt"}, (
        "MNIST is not kept once for each student"
    )


def test_what_students_put_into_the_exchange_stops_nobody_and_opens_nothing(round_trip: Round) -> None:
    submitted = {path.name for path in (round_trip.course / "submitted").iterdir() if any(path.rglob("*.ipynb"))}
    assert submitted == {"anna", "late_by_mail"}
    said = [line for line in round_trip.said["collect"].splitlines() if "ERROR" in line]
    for name in ("thief+", "thief_of_folders+", "pipe+", "eve+", "/+tiny"):
        assert any(name in line for line in said), (name, said)
    assert len(said) == 5


def test_feedback_goes_past_those_who_handed_in_otherwise(round_trip: Round) -> None:
    assert "late_by_mail" in round_trip.said["release_feedback"]


def test_who_dates_back_a_submission_is_named(tmp_path: Path) -> None:
    """The penalty for a late one follows the time stamp, a file of the student's own."""
    stamp = tmp_path / "timestamp.txt"
    for minutes, named in ((0, ""), (50, ""), (70, "was changed at")):
        written_there = datetime.now(UTC) - timedelta(minutes=minutes)
        stamp.write_text(f"{written_there:%Y-%m-%d %H:%M:%S.%f} UTC")
        os.utime(tmp_path, (0, 0))
        assert bool(_doubt(str(tmp_path))) == bool(named)
        assert _doubt(str(tmp_path)).startswith(named)
    stamp.write_text("yesterday")
    assert "never late" in _doubt(str(tmp_path))
    stamp.unlink()
    assert "never late" in _doubt(str(tmp_path))


def test_of_a_large_folder_no_more_is_copied_than_a_student_may_hand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MAX_UPLOAD", 1000)
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    for name in ("a.ipynb", "b.ipynb", "mnist.gz"):
        (source / name).write_bytes(bytes(500))
    _copy_plain(str(source), target)
    assert {path.name for path in target.iterdir()} == {"a.ipynb", "b.ipynb"}
    (source / "c.ipynb").write_bytes(b"1")
    with pytest.raises(ValueError, match=r"c\.ipynb"):
        _copy_plain(str(source), target)


def test_a_secret_that_is_none_is_left(tmp_path: Path) -> None:
    """`release_feedback` would stop for everyone at one that is no text, or empty."""
    (tmp_path / "timestamp.txt").write_text("2026-11-03 10:00:00 UTC")
    secret = tmp_path / "submission_secret.txt"
    for written_there, kept in ((b"0123456789abcdef", True), (b"\xff\xfe", False), (b"", False), (b"a" * 1001, False)):
        secret.write_bytes(written_there)
        assert ("submission_secret.txt" in read_receipt(tmp_path)) is kept
    secret.unlink()
    assert [*read_receipt(tmp_path)] == ["timestamp.txt"]
