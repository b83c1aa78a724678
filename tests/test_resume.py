"""Whatever happened before, `nbgrader autograde` ends with every student's result up to date, and repeats nothing."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest
from courses import configure, find, marks, nbgrader
from nbformat.v4 import new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.apps import AutogradeApp
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import text
from tiny_course import HIDDEN_TESTS, HONEST, WRONG_ADD, cell, hand_in, make_course, notebook, release, written

from course_lib.assignment.loader import load_assignment
from course_lib.execution.executors import Pool
from course_lib.judge.task import GradingTask
from course_lib.nbgrader_plugins.autograde import JudgedAutograde, _room
from course_lib.records.class_record import read_class
from course_lib.records.gradebook import CourseGradebook

RIGHT, WRONG = written(notebook()), written(notebook("def add(x):\n    return 0.0"))
EXPECTED = {"anna": HONEST, "bruno": WRONG_ADD, "chloé": HONEST}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume") / "course"
    make_course(folder, {})
    for student, content in (("anna", RIGHT), ("bruno", WRONG), ("chloé", RIGHT)):
        hand_in(folder, student, content)
    release(folder)
    run = nbgrader(folder, "autograde", "tiny")
    assert run.returncode == 0, run.stderr
    return folder


@pytest.fixture
def course(graded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(graded, tmp_path / "course"))


def results(course: Path) -> dict[str, int]:
    """The stored results, with what tells whether they were written anew."""
    return {path.stem: path.stat().st_ino for path in (course / "autograded" / ".results").glob("*.json")}


def students_results(course: Path) -> set[str]:
    return {key for key in results(course) if not key.endswith("-source")}


def autograde(course: Path, *options: str) -> int:
    """Run the command; returns how many submissions it found outdated."""
    run = nbgrader(course, "autograde", "tiny", *options)
    assert run.returncode == 0, run.stderr
    found = re.search(r"(\d+) submissions, (\d+) of them graded already", run.stderr)
    assert found
    return int(found[1]) - int(found[2])


def test_equal_submissions_are_graded_once(graded: Path) -> None:
    assert marks(graded, "tiny") == EXPECTED
    assert len(students_results(graded)) == 2


def autograde_here(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command in this process, where tests replace parts of it."""
    monkeypatch.chdir(course)
    app = AutogradeApp()
    app.initialize(["--log-level=ERROR"])
    app.coursedir.assignment_id = "tiny"
    JudgedAutograde(coursedir=app.coursedir, parent=app).start()


def test_nothing_changed_nothing_is_done(course: Path) -> None:
    before = results(course)
    run = nbgrader(course, "autograde", "tiny")
    assert "3 submissions, 3 of them graded already" in run.stderr
    assert "Grading the source notebook" not in run.stderr
    assert results(course) == before


def test_a_changed_submission_is_graded_whatever_its_time_stamp(course: Path) -> None:
    """Stock nbgrader says "Skipping existing assignment"."""
    hand_in(course, "anna", WRONG.replace(b"0.0", b"1.0"))
    assert autograde(course) == 1
    assert marks(course, "tiny") == EXPECTED | {"anna": WRONG_ADD}
    hand_in(course, "anna", RIGHT)
    before = results(course)
    assert autograde(course) == 1
    assert marks(course, "tiny") == EXPECTED
    assert results(course) == before, "the result of that notebook was stored"


def test_an_edited_hidden_test_outdates_every_result(course: Path) -> None:
    path = course / "grader_tests" / "tiny" / "test_add.py"
    path.write_text(HIDDEN_TESTS["test_add"].replace("x + 1, secret", "x + 1 or True"))
    assert autograde(course) == 3
    assert marks(course, "tiny")["bruno"] == {"test_add": 1.5, "test_mean": 1.0}
    path.write_text(HIDDEN_TESTS["test_add"])
    before = results(course)
    assert autograde(course) == 3
    assert marks(course, "tiny") == EXPECTED
    assert results(course) == before


def test_a_persons_marks_wait_for_another_look_only_where_something_changed(course: Path) -> None:
    """Of a class whose texts are graded, nobody has to look at each one again because a hidden test was edited."""
    students = ("anna", "bruno", "chloé")
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        for student in students:
            grade = gradebook.find_grade("test_add", "tiny", "tiny", student)
            grade.manual_score, grade.needs_manual_grade = 2.0, False
        gradebook.db.commit()

    def waiting() -> set[str]:
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
            grades = {student: gradebook.find_grade("test_add", "tiny", "tiny", student) for student in students}
            assert {grade.manual_score for grade in grades.values()} == {2.0}
            return {student for student, grade in grades.items() if grade.needs_manual_grade}

    path = course / "grader_tests" / "tiny" / "test_add.py"
    path.write_text(HIDDEN_TESTS["test_add"].replace("x + 1, secret", "x + 1 or True"))  # bruno's mark is another one
    hand_in(course, "chloé", written(notebook(extra=("# my answer is elsewhere",))))
    assert autograde(course) == 3
    assert waiting() == {"bruno", "chloé"}
    assert autograde(course, "--force") == 3
    assert waiting() == {"bruno", "chloé"}, "until somebody has looked"


def test_a_persons_mark_waits_for_another_look_where_the_points_are_others(course: Path) -> None:
    """What was given of two points, says something else of four; the marks beside it do not."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        for name in ("test_add", "test_mean"):
            grade = gradebook.find_grade(name, "tiny", "tiny", "bruno")
            grade.manual_score, grade.needs_manual_grade = 1.0, False
        gradebook.db.commit()
    tests = course / "grader_tests" / "tiny" / "test_add.py"
    tests.write_text(tests.read_text().replace("@hidden_test(1.5", "@hidden_test(3.5"))
    path = course / "source" / "tiny" / "tiny.ipynb"
    node = nbformat.read(path, as_version=4)
    find(node, "test_add").metadata.nbgrader["points"] = 4
    nbformat.write(node, path)
    assert nbgrader(course, "generate_assignment", "tiny", "--force").returncode == 0
    assert autograde(course) == 3
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        grades = {name: gradebook.find_grade(name, "tiny", "tiny", "bruno") for name in ("test_add", "test_mean")}
        assert {name: grade.needs_manual_grade for name, grade in grades.items()} == {
            "test_add": True,
            "test_mean": False,
        }


def test_what_nbgrader_is_told_to_ignore_is_not_there_while_students_code_runs(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (course / "source" / "tiny" / "answers.csv").write_text("1")
    hand_in(course, "bruno", written(notebook("def add(x):\n    return x + int(open('answers.csv').read())")))
    configure(course, "c.CourseDirectory.ignore = ['*.csv']")
    autograde_here(course, monkeypatch)
    assert marks(course, "tiny")["bruno"] == WRONG_ADD


@pytest.mark.filterwarnings("ignore::nbformat.warnings.MissingIDFieldWarning")
@pytest.mark.parametrize("minor", [4, 5])
def test_a_source_without_ids_of_cells_is_the_same_each_time(course: Path, minor: int) -> None:
    """Older Jupyters write none; nbformat then makes some up, others each time, or leaves them out."""
    path = course / "source" / "tiny" / "tiny.ipynb"
    content = json.loads(path.read_text())
    content["nbformat_minor"] = minor
    for one in content["cells"]:
        del one["id"]
    path.write_text(json.dumps(content))
    [[first], [second]] = [load_assignment(path.parent, course / "grader_tests" / "tiny") for _ in range(2)]
    assert first.source == second.source
    assert len({one.id for one in first.skeleton.cells}) == len(content["cells"])


def test_an_old_gradebook_does_not_keep_a_text_from_the_person_who_grades_it(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy from when nothing was answered came again: it says 0, and that nobody has to look.

    What nothing answered looks like, the configuration says.
    """
    configure(course, "c.ClearSolutions.text_stub = 'Write here.'")
    path = course / "submitted" / "anna" / "tiny" / "tiny.ipynb"
    source = "### BEGIN SOLUTION\nBecause.\n### END SOLUTION"
    for place, content in ((course / "source" / "tiny" / "tiny.ipynb", source), (path, "Write here.")):
        node = nbformat.read(place, as_version=4)
        free = cell("free", content, grade=True, solution=True, points=4)
        node.cells.append(new_markdown_cell(content, id="free", metadata=free.metadata))
        nbformat.write(node, place)
    (course / "gradebook.db").unlink()
    assert nbgrader(course, "generate_assignment", "tiny", "--force").returncode == 0

    def waits() -> bool:
        autograde_here(course, monkeypatch)
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
            return bool(gradebook.find_grade("free", "tiny", "tiny", "anna").needs_manual_grade)

    assert not waits()
    shutil.copy(course / "gradebook.db", course / "old.db")
    path.write_text(path.read_text().replace("Write here.", "I think so."))
    assert waits()
    shutil.copy(course / "old.db", course / "gradebook.db")
    assert waits()
    before = (course / "gradebook.db").stat().st_mtime_ns
    autograde_here(course, monkeypatch)
    assert (course / "gradebook.db").stat().st_mtime_ns == before, "nothing is left to do"


def test_a_notebook_more_or_less_is_told_with_its_way_out(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are marks, `generate_assignment`, which was advised, refuses; marks of a removed one stayed."""
    source = course / "source" / "tiny" / "tiny.ipynb"
    source.rename(source.with_name("other.ipynb"))
    with pytest.raises(NbGraderException, match=r"other notebooks .*\(other, tiny\).* assignment remove tiny"):
        autograde_here(course, monkeypatch)
    source.with_name("other.ipynb").rename(source)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.add_notebook("further", "tiny")
    with pytest.raises(NbGraderException, match=r"other notebooks .*\(further\).* assignment remove tiny"):
        autograde_here(course, monkeypatch)


def test_what_the_judge_does_not_use_of_nbgraders_settings_is_said(course: Path) -> None:
    """They are of its own way of grading; who sets a time limit there waits in vain."""
    of_autograde = "c.Autograde.exclude_overwriting = {'tiny': ['helper.py']}", "c.Autograde.post_convert_hook = print"
    configure(course, "c.Execute.timeout = 600", *of_autograde)
    run = nbgrader(course, "autograde", "tiny")
    [line] = [line for line in run.stderr.splitlines() if "WARNING" in line]
    assert "Autograde.exclude_overwriting, Autograde.post_convert_hook, Execute.timeout" in line


@pytest.mark.parametrize("lost", ["gradebook", "autograded", "marks", "one stored result"])
def test_what_was_lost_comes_back(course: Path, lost: str) -> None:
    before = results(course)
    if lost == "gradebook":
        (course / "gradebook.db").unlink()
        assert nbgrader(course, "generate_assignment", "tiny", "--force").returncode == 0
    elif lost == "autograded":
        for student in ("bruno", "chloé"):
            shutil.rmtree(course / "autograded" / student)
        path = course / "autograded" / "anna" / "tiny" / "tiny.ipynb"
        path.chmod(0o644)
        path.write_text(path.read_text()[:1000])
    elif lost == "marks":
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
            gradebook.find_grade("test_add", "tiny", "tiny", "anna").auto_score = None
            gradebook.find_grade("test_add", "tiny", "tiny", "bruno").auto_score = 2.0  # of an old copy of it
            gradebook.db.commit()
        (course / "submitted" / "chloé" / "tiny" / "submission_secret.txt").write_text("5ec4e7")
    else:
        shutil.rmtree(course / "autograded" / "bruno")
        for path in (course / "autograded" / ".results").glob("*.json"):
            path.write_text(path.read_text()[:1000])
    assert autograde(course) == {"gradebook": 3, "autograded": 3, "marks": 3, "one stored result": 1}[lost]
    assert marks(course, "tiny") == EXPECTED
    assert (course / "autograded" / "chloé" / "tiny" / "submission_secret.txt").exists() == (lost == "marks")
    assert {p.name for p in (course / "autograded").iterdir() if not p.name.startswith(".")} == set(EXPECTED)
    if lost != "one stored result":
        assert results(course) == before, "nothing was graded again"


def test_force_grades_anew(course: Path) -> None:
    before = results(course)
    left, of_another = (course / "autograded" / "anna" / f".{name}.abcdefgh" for name in ("tiny", "tiny.two"))
    for folder in (left, of_another):  # by commands that were killed, or are at work on another assignment
        folder.mkdir()
    assert autograde(course, "--force", "--student=anna") == 1
    after = results(course)
    assert after.keys() == before.keys()
    assert sum(after[key] != before[key] for key in after) == 1
    assert marks(course, "tiny") == EXPECTED
    assert not left.exists()
    assert of_another.exists()


def test_who_is_excluded_is_left_out(tmp_path: Path) -> None:
    for student in EXPECTED:
        (tmp_path / "submitted" / student / "tiny").mkdir(parents=True)
    course = CourseDirectory(root=str(tmp_path), assignment_id="tiny", student_id_exclude="bruno,chloé")
    converter = JudgedAutograde(coursedir=course)
    converter.init_notebooks()
    assert list(converter._students()) == ["anna"]


def test_a_new_time_stamp_reaches_the_gradebook_without_grading(course: Path) -> None:
    """Also a copy of it from before the submission came again: its marks are the same, its penalty may not be."""
    before = results(course)
    (course / "submitted" / "anna" / "tiny" / "timestamp.txt").write_text("2026-11-03 10:00:00.25 UTC")
    old = (course / "gradebook.db").read_bytes()
    for _ in range(2):
        (course / "gradebook.db").write_bytes(old)
        assert autograde(course) == 1
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
            assert gradebook.find_submission("tiny", "anna").timestamp.day == 3
    assert autograde(course) == 0
    (course / "submitted" / "anna" / "tiny" / "timestamp.txt").unlink()  # so that it is not late
    assert autograde(course) == 1
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        assert gradebook.find_submission("tiny", "anna").timestamp is None
    assert autograde(course) == 0
    assert results(course) == before


LATE = """
from nbgrader.plugins import BasePlugin

class OnePoint(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return 1.0 if total_seconds_late > 0 else 0.0

c.AssignLatePenalties.plugin_class = OnePoint
"""


def test_another_due_date_changes_the_penalties_without_grading(course: Path) -> None:
    configure(course, LATE)
    for student in ("anna", "bruno"):
        (course / "submitted" / student / "tiny" / "timestamp.txt").write_text("2026-11-03 10:00:00 UTC")
    page = course / "feedback" / "anna" / "tiny" / "tiny.html"
    penalties, pages = [], []
    for due in ("2026-11-04", "2026-11-02", "2026-11-01", "2026-11-05"):
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
            gradebook.update_or_create_assignment("tiny", duedate=due)
            if due == "2026-11-01":
                gradebook.grant_extension("tiny", "bruno", days=3)
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("marks")
        autograde(course)
        pages.append(page.exists())
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
            both = [gradebook.find_submission("tiny", student) for student in ("anna", "bruno")]
            penalties.append([submission.late_submission_penalty or 0 for submission in both])
    assert penalties == [[0, 0], [1, 1], [1, 0], [0, 0]]
    assert pages == [False, False, True, False], "the first has a new time stamp, the third says what is still right"
    assert marks(course, "tiny") == EXPECTED


def test_a_due_date_that_goes_leaves_no_extension_in_the_way(course: Path) -> None:
    configure(course, LATE)
    (course / "submitted" / "anna" / "tiny" / "timestamp.txt").write_text("2026-11-03 10:00:00 UTC")
    for due, penalty in (("2026-11-01", 1.0), (None, 0.0)):
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
            gradebook.update_or_create_assignment("tiny", duedate=due)
            gradebook.grant_extension("tiny", "anna", days=1)
        autograde(course, "--force")
        run = nbgrader(course, "export", "--exporter=course_lib.nbgrader_plugins.exporters.Details")
        assert run.returncode == 0, run.stderr
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
            assert (gradebook.find_submission("tiny", "anna").late_submission_penalty or 0) == penalty


def test_a_penalty_that_fails_for_one_student_stops_no_other(
    course: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fails = "        if student_id == 'anna': raise KeyError('group')\n        return"
    configure(course, LATE.replace("        return", fails))
    for student in ("anna", "bruno"):
        (course / "submitted" / student / "tiny" / "timestamp.txt").write_text("2026-11-03 10:00:00 UTC")
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate="2026-11-02")
    for _ in range(2):  # newly recorded, and as it was
        with pytest.raises(NbGraderException, match=r"^Graded, but the penalty was not set: anna$"):
            autograde_here(course, monkeypatch)
        assert "Submission of anna: the plug-in for penalties: KeyError: 'group'" in capfd.readouterr().err
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        assert gradebook.find_submission("tiny", "bruno").late_submission_penalty == 1
    assert marks(course, "tiny") == EXPECTED


def test_a_page_with_other_marks_does_not_stay(course: Path) -> None:
    for student in EXPECTED:
        page = course / "feedback" / student / "tiny" / "tiny.html"
        page.parent.mkdir(parents=True)
        page.write_text("marks")
    hand_in(course, "anna", WRONG.replace(b"0.0", b"1.0"))
    left = course / "autograded" / "anna" / ".tiny.killed"
    other = course / "autograded" / "anna" / ".tiny.2.at_work"
    left.mkdir()
    other.mkdir()
    assert autograde(course) == 1
    assert other.exists(), "what a command writes that grades the assignment tiny.2"
    assert not (course / "feedback" / "anna" / "tiny").exists()
    assert (course / "feedback" / "bruno" / "tiny" / "tiny.html").exists()
    assert not left.exists(), "what a killed command was writing"


def test_a_killed_command_leaves_no_page_with_other_marks(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = course / "feedback" / "anna" / "tiny" / "tiny.html"
    page.parent.mkdir(parents=True)
    page.write_text("marks")
    hand_in(course, "anna", WRONG.replace(b"0.0", b"1.0"))
    there: list[bool] = []
    monkeypatch.setattr(CourseGradebook, "record", lambda *arguments: there.append(page.exists()))
    autograde_here(course, monkeypatch)
    assert there == [False]


def test_what_is_handed_in_anew_meanwhile_earns_nobody_else_a_point(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files of two students are equal when the command looks, and one is another when its turn comes."""
    blank = written(notebook("raise NotImplementedError"))
    for student in ("dora", "emil"):
        hand_in(course, student, blank)
    read: list[str] = []
    jobs = JudgedAutograde._jobs

    def then_hand_in(self: JudgedAutograde, student: str, *more: Any) -> list[GradingTask]:
        found = jobs(self, student, *more)
        if student == "emil" and "emil" not in read:
            hand_in(course, "dora", RIGHT)
        read.append(student)
        return found

    monkeypatch.setattr(JudgedAutograde, "_jobs", then_hand_in)
    autograde_here(course, monkeypatch)
    monkeypatch.undo()
    lost = {"test_add": 0.0, "test_mean": 1.0}
    assert marks(course, "tiny") == EXPECTED | {"dora": lost, "emil": lost}
    assert autograde(course) == 1
    assert marks(course, "tiny") == EXPECTED | {"dora": HONEST, "emil": lost}


def test_a_hidden_test_edited_meanwhile_and_put_back_leaves_no_mark(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its result would be stored under the key of the old test. The same goes for data that a test reads."""
    path = course / "grader_tests" / "tiny" / "test_add.py"
    data = path.with_name("data.json")
    hand_in(course, "dora", written(notebook("def add(x):\n    return 1.0")))
    grade_all = Pool.grade_all

    def then_edit(self: Pool, *work: Any) -> Any:
        path.write_text(HIDDEN_TESTS["test_add"].replace("x + 1, secret", "x + 1 or True"))
        data.write_text("{}")
        yield from grade_all(self, *work)

    monkeypatch.setattr(Pool, "grade_all", then_edit)
    with pytest.raises(NbGraderException, match=r"edited while .*data\.json, .*test_add\.py$"):
        autograde_here(course, monkeypatch)
    monkeypatch.undo()
    path.write_text(HIDDEN_TESTS["test_add"])
    data.unlink()
    assert autograde(course) == 1
    assert marks(course, "tiny") == EXPECTED | {"dora": WRONG_ADD}


def test_a_gradebook_locked_while_new_students_come_is_waited_for(
    course: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """SQLite itself waits for 5 s; nbgrader then raises an error of its own."""
    hand_in(course, "dora", RIGHT)
    other = sqlite3.connect(course / "gradebook.db", check_same_thread=False)
    record = CourseGradebook.record

    def while_locked(self: CourseGradebook, *arguments: Any) -> None:
        self._gradebook.db.execute(text("PRAGMA busy_timeout = 100"))
        other.execute("begin immediate")
        threading.Timer(0.5, other.rollback).start()
        record(self, *arguments)

    monkeypatch.setattr(CourseGradebook, "record", while_locked)
    autograde_here(course, monkeypatch)
    assert marks(course, "tiny") == EXPECTED | {"dora": HONEST}
    assert "Traceback" not in capfd.readouterr().err


def test_a_fault_of_the_machine_is_one_line(course: Path) -> None:
    hand_in(course, "dora", RIGHT)
    (course / "autograded" / "dora").touch()
    run = nbgrader(course, "autograde", "tiny")
    assert "Submission of dora: [Errno" in run.stderr
    (course / "autograded" / "dora").unlink()
    more = nbgrader(course, "autograde", "tiny", "--Autograde.create_student=False")
    assert "Submission of dora: No such student: dora" in more.stderr
    assert run.returncode == more.returncode == 1
    assert "Traceback" not in run.stderr + more.stderr


def test_what_kernels_saw_of_a_killed_command_goes(tmp_path: Path) -> None:
    killed = "from pathlib import Path\nimport os, sys\nfrom course_lib.nbgrader_plugins.autograde import _room\n"
    killed += "with _room(Path(sys.argv[1])) as room: (room / 'library').mkdir(); os._exit(9)"
    subprocess.run([sys.executable, "-c", killed, str(tmp_path)], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    with _room(tmp_path) as first, _room(tmp_path) as second:
        assert set(tmp_path.iterdir()) == {first, second}, "what is in use stays"
    assert not list(tmp_path.iterdir())


def test_what_is_no_folder_is_not_left_out_in_silence(course: Path) -> None:
    for student in ("file", "link"):
        (course / "submitted" / student).mkdir()
    (course / "submitted" / "file" / "tiny").write_bytes(RIGHT)
    (course / "submitted" / "link" / "tiny").symlink_to(course / "moved")
    run = nbgrader(course, "autograde", "tiny")
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("is no folder, or leads nowhere") == 2


def test_a_comment_on_code_stands_with_its_mark(course: Path) -> None:
    """Formgrader asks for it at the solution cell, marks are those of the grade cell."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.find_comment("add", "tiny", "tiny", "anna").manual_comment = "Joli."
        gradebook.db.commit()
        record = read_class(gradebook, CourseDirectory(root=str(course)), "tiny")
    comments = {(one.student, mark.grade_id): mark.comment for one in record.submissions for mark in one.marks}
    assert {place: comment for place, comment in comments.items() if comment} == {("anna", "test_add"): "Joli."}


def test_the_store_can_be_emptied(course: Path) -> None:
    command = [sys.executable, "-m", "course_lib.cli", "cache", "--empty"]
    run = subprocess.run(command, cwd=course, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "0 results, 0.0 MB" in run.stdout
    assert marks(course, "tiny") == EXPECTED
    assert autograde(course) == 0
    refused = subprocess.run(command, cwd=course / "source", capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "course folder" in refused.stderr
    refused = subprocess.run([*command, "source"], cwd=course, capture_output=True, text=True, check=False)
    assert "no stored results" in refused.stderr
    assert not (course / "source" / ".results").exists()
