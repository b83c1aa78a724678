"""What lies in `submitted/` may be a trap: links, pipes, impossible dates and names. It costs its owner only."""

import os
import shutil
import unicodedata
from pathlib import Path

import pytest
from courses import Course, marks, nbgrader, result
from nbgrader.api import Gradebook
from tiny_course import CANARY, HONEST, WRONG_ADD, hand_in, make_course, notebook, release, written

from course_lib.execution.submission_files import read_plain, read_submitted, stamped_time
from course_lib.judge.rebuild import UnreadableNotebook

RIGHT, WRONG = written(notebook()), written(notebook("def add(x):\n    return 0.0"))
NOTHING = {"test_add": 0.0, "test_mean": 0.0}


def replace(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


@pytest.fixture(scope="module")
def trapped(tmp_path_factory: pytest.TempPathFactory) -> Course:
    folder = tmp_path_factory.mktemp("trapped") / "course"
    make_course(folder, {})
    submitted = folder / "submitted"
    links = {
        "link to the source": "../../../source/tiny/tiny.ipynb",
        "link to another": "../../zoe/tiny/tiny.ipynb",
        "link to memory": "/proc/self/mem",
        "link to nothing": "nowhere",
    }
    for student in [*links, "zoe", "link as a folder", "link as a student", "pipe", "folder", "impossible\nname"]:
        hand_in(folder, student, RIGHT if student == "zoe" else WRONG)
    for student, target in links.items():
        replace(submitted / student / "tiny" / "tiny.ipynb", target)
    shutil.rmtree(submitted / "link as a folder" / "tiny")
    (submitted / "link as a folder" / "tiny").symlink_to("../zoe/tiny")
    shutil.rmtree(submitted / "link as a student")
    (submitted / "link as a student").symlink_to("zoe")
    for student, make in (("pipe", os.mkfifo), ("folder", os.mkdir)):
        (submitted / student / "tiny" / "tiny.ipynb").unlink()
        make(submitted / student / "tiny" / "tiny.ipynb")
    for name, content in (
        ("no date", b"yesterday"),
        ("far future", b"9" * 40),
        ("no text", b"\xff\xfe"),
        ("long", b"1" * 10**6),
        ("of nowhere", b"2026-07-01 18:00:00 XST"),
    ):
        hand_in(folder, f"stamp {name}", RIGHT)
        (submitted / f"stamp {name}" / "tiny" / "timestamp.txt").write_bytes(content)
    hand_in(folder, "stamp pipe", RIGHT)
    os.mkfifo(submitted / "stamp pipe" / "tiny" / "timestamp.txt")
    hand_in(folder, "stamp right", RIGHT)
    (submitted / "stamp right" / "tiny" / "timestamp.txt").write_text("2026-11-03 10:00:00 UTC\n")
    release(folder)
    hand_in(folder, "answers elsewhere", written(notebook("", "pass", extra=("def add(x):\n    return 0.0",))))
    run = nbgrader(folder, "autograde", "tiny")
    assert run.returncode == 0, run.stderr
    again = nbgrader(folder, "autograde", "tiny")
    assert again.returncode == 0, again.stderr
    assert "17 submissions, 17 of them graded already" in again.stderr
    feedback = nbgrader(folder, "generate_feedback", "tiny")
    assert feedback.returncode == 0, feedback.stderr
    return Course(folder, run)


def test_a_link_earns_nothing_and_shows_nothing(trapped: Course) -> None:
    found = marks(trapped.folder, "tiny")
    traps = [student for student in found if student.startswith(("link", "pipe", "folder"))]
    assert len(traps) == 8
    for student in traps:
        assert found[student] == NOTHING, student
    for path in [*(trapped.folder / "autograded").rglob("*.ipynb"), *(trapped.folder / "feedback").rglob("*.html")]:
        assert CANARY not in path.read_text(), path
    page = (trapped.folder / "feedback" / "link to the source" / "tiny" / "tiny.html").read_text()
    assert "lien ou fichier spécial" in page


def test_a_time_stamp_that_says_no_time_stops_nobody(trapped: Course) -> None:
    found = marks(trapped.folder, "tiny")
    assert {student for student in found if student.startswith("stamp")} == {
        "stamp no date", "stamp far future", "stamp no text", "stamp long", "stamp pipe", "stamp right",
        "stamp of nowhere",
    }  # fmt: skip
    assert all(found[student] == HONEST for student in found if student.startswith(("stamp", "zoe")))
    said = [line for line in trapped.autograde.stderr.splitlines() if "timestamp.txt says no time" in line]
    assert len(said) == 6, "those but the right one"
    with Gradebook(f"sqlite:///{trapped.folder / 'gradebook.db'}") as gradebook:
        assert gradebook.find_submission("tiny", "stamp right").timestamp.hour == 10
        assert gradebook.find_submission("tiny", "stamp pipe").timestamp is None
        assert gradebook.find_submission("tiny", "stamp of nowhere").timestamp is None, "nobody knows when"


@pytest.mark.parametrize("zone", ["Europe/Paris", "+0200", "+02:00"])
def test_a_time_is_that_of_its_zone(zone: str) -> None:
    assert stamped_time(f"2026-07-01 18:00:00.5 {zone}\n".encode()).isoformat() == "2026-07-01T16:00:00.500000"


def test_an_impossible_name_is_said_and_left_out(trapped: Course) -> None:
    assert "rename the folder" in trapped.autograde.stderr
    assert not [student for student in marks(trapped.folder, "tiny") if "impossible" in student]
    assert WRONG_ADD not in marks(trapped.folder, "tiny").values()


def test_the_name_of_a_file_writes_nothing_to_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2J.ipynb"
    os.mkfifo(path)
    with pytest.raises(OSError, match="is not a plain file") as caught:
        read_plain(path, 100)
    assert "\x1b" not in str(caught.value)
    path.unlink()
    path.write_text("x" * 101)
    with pytest.raises(ValueError, match="has more than 100 bytes") as long:
        read_plain(path, 100)
    assert "\x1b" not in str(long.value)


def test_a_name_that_only_a_file_system_has_changed_is_found(tmp_path: Path) -> None:
    """A Mac writes é as e and an accent, and takes a capital for the small letter."""
    wanted = tmp_path / "submitted" / "anna" / "réseau" / "réseau.ipynb"
    source = tmp_path / "source"
    source.mkdir()
    wanted.parent.mkdir(parents=True)
    other = wanted.with_name(unicodedata.normalize("NFD", "Réseau.ipynb"))
    other.write_bytes(b"hers")
    assert read_submitted(wanted, source) == b"hers"
    wanted.with_name("RÉSEAU.ipynb").touch()
    with pytest.raises(UnreadableNotebook, match="RÉSEAU"):
        read_submitted(wanted, source)
    (source / "RÉSEAU.ipynb").touch()
    assert read_submitted(wanted, source) == b"hers", "the other one is of another notebook"
    wanted.symlink_to(other)
    with pytest.raises(UnreadableNotebook):
        read_submitted(wanted, source)


def test_a_wrong_answer_beside_an_empty_cell_was_attempted(trapped: Course) -> None:
    cells = result(trapped.folder, "answers elsewhere", "tiny")["cells"]
    verdicts = {cell["grade_id"]: {test["verdict"] for test in cell["tests"]} for cell in cells}
    assert verdicts == {"test_add": {"failed"}, "test_mean": {"not_attempted"}}
