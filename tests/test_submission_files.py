"""Files in `submitted/` may be links, pipes, or have impossible dates and names. That costs only their owner."""

import os
import shutil
import textwrap
import unicodedata
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from course_lib.execution.submission_files import read_plain, read_submitted, stamped_time
from course_lib.judge.read_notebook import UnreadableNotebook
from tests.support.courses import Course, marks, nbgrader, result
from tests.support.tiny_course import CANARY, HONEST, WRONG_ADD, hand_in, make_course, notebook, release, written

RIGHT, WRONG = written(notebook()), written(notebook("add = lambda x: 0.0"))
NOTHING = {"test_add": 0.0, "test_mean": 0.0}

LINKS = {
    "link to the source": "../../../source/tiny/tiny.ipynb",
    "link to another": "../../zoe/tiny/tiny.ipynb",
    "link to memory": "/proc/self/mem",
    "link to nothing": "nowhere",
}
"""Students whose notebook is a link, with its target."""

BAD_STAMPS = {
    "stamp no date": b"yesterday",
    "stamp far future": b"9" * 40,
    "stamp no text": b"\xff\xfe",
    "stamp long": b"1" * 10**6,
    "stamp of nowhere": b"2026-07-01 18:00:00 XST",
}
"""Students with a right answer and a bad time stamp file, with its content."""

ANSWER_IN_AN_EXTRA_CELL = textwrap.dedent("""
    def add(x):
        return 0.0
    """)


def set_traps(submitted: Path) -> None:
    """Hand in links, pipes and folders instead of notebooks. Whatever is behind a link would earn points."""
    for student in [*LINKS, "zoe", "link as a folder", "link as a student", "pipe", "folder", "impossible\nname"]:
        hand_in(submitted.parent, student, RIGHT if student == "zoe" else WRONG)
    for student, target in LINKS.items():
        path = submitted / student / "tiny" / "tiny.ipynb"
        path.unlink()
        path.symlink_to(target)
    shutil.rmtree(submitted / "link as a folder" / "tiny")
    (submitted / "link as a folder" / "tiny").symlink_to("../zoe/tiny")
    shutil.rmtree(submitted / "link as a student")
    (submitted / "link as a student").symlink_to("zoe")
    for student, make in (("pipe", os.mkfifo), ("folder", os.mkdir)):
        (submitted / student / "tiny" / "tiny.ipynb").unlink()
        make(submitted / student / "tiny" / "tiny.ipynb")


def hand_in_with_stamps(submitted: Path) -> None:
    for student, content in (BAD_STAMPS | {"stamp right": b"2026-11-03 10:00:00 UTC\n"}).items():
        hand_in(submitted.parent, student, RIGHT)
        (submitted / student / "tiny" / "timestamp.txt").write_bytes(content)
    hand_in(submitted.parent, "stamp pipe", RIGHT)
    os.mkfifo(submitted / "stamp pipe" / "tiny" / "timestamp.txt")


@pytest.fixture(scope="module")
def trapped(tmp_path_factory: pytest.TempPathFactory) -> Course:
    folder = tmp_path_factory.mktemp("trapped") / "course"
    make_course(folder, {})
    set_traps(folder / "submitted")
    hand_in_with_stamps(folder / "submitted")
    release(folder)
    hand_in(folder, "answers elsewhere", written(notebook("", "pass", extra=(ANSWER_IN_AN_EXTRA_CELL,))))
    run = nbgrader(folder, "autograde", "tiny")
    assert run.returncode == 1, "a person must look at the time stamps"
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


def test_a_bad_time_stamp_stops_nobody(trapped: Course) -> None:
    found = marks(trapped.folder, "tiny")
    stamped = {student for student in found if student.startswith("stamp")}
    assert stamped == {*BAD_STAMPS, "stamp pipe", "stamp right"}
    assert all(found[student] == HONEST for student in [*stamped, "zoe"])
    with Gradebook(f"sqlite:///{trapped.folder / 'gradebook.db'}") as gradebook:
        assert gradebook.find_submission("tiny", "stamp right").timestamp.hour == 10
        assert gradebook.find_submission("tiny", "stamp pipe").timestamp is None
        assert gradebook.find_submission("tiny", "stamp of nowhere").timestamp is None, "nobody knows when"


def test_every_bad_time_stamp_is_named(trapped: Course) -> None:
    [line] = {line for line in trapped.autograde.stderr.splitlines() if "timestamp.txt" in line}
    assert all(student in line for student in [*BAD_STAMPS, "stamp pipe"])


@pytest.mark.parametrize("zone", ["Europe/Paris", "+0200", "+02:00"])
def test_a_time_stamp_is_read_in_its_time_zone(zone: str) -> None:
    assert stamped_time(f"2026-07-01 18:00:00.5 {zone}\n".encode()).isoformat() == "2026-07-01T16:00:00.500000"


def test_a_folder_with_an_impossible_name_is_ignored(trapped: Course) -> None:
    assert "Rename the folder" in trapped.autograde.stderr
    assert not [student for student in marks(trapped.folder, "tiny") if "impossible" in student]
    assert WRONG_ADD not in marks(trapped.folder, "tiny").values()


def test_a_file_name_cannot_control_the_terminal(tmp_path: Path) -> None:
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


def test_a_name_that_only_a_file_system_changed_is_found(tmp_path: Path) -> None:
    """A Mac stores é as e and an accent, and does not tell capitals from small letters."""
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
    assert read_submitted(wanted, source) == b"hers", "the other file is another notebook of the assignment"
    wanted.symlink_to(other)
    with pytest.raises(UnreadableNotebook):
        read_submitted(wanted, source)


def test_a_wrong_answer_beside_an_empty_cell_is_an_attempt(trapped: Course) -> None:
    cells = result(trapped.folder, "answers elsewhere", "tiny")["cells"]
    verdicts = {cell["grade_id"]: {test["verdict"] for test in cell["tests"]} for cell in cells}
    assert verdicts == {"test_add": {"failed"}, "test_mean": {"not_attempted"}}
