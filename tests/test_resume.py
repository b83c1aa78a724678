"""`nbgrader autograde`, run again: it brings every student's result up to date, and grades nothing twice."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from filelock import FileLock
from nbformat.v4 import new_markdown_cell
from nbgrader.apps import AutogradeApp
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import Engine, event

from course_lib.assignment.loader import load_assignment
from course_lib.execution.worker_pool import WorkerPool
from course_lib.nbgrader_plugins.autograde import JudgedAutograde
from course_lib.records.class_record import read_class
from course_lib.records.gradebook import CourseGradebook
from tests.support.code import code
from tests.support.courses import configure, find, marks, nbgrader, open_gradebook
from tests.support.tiny_course import (
    ADD,
    HIDDEN_TESTS,
    HONEST,
    WRONG_ADD,
    WRONG_ANSWER,
    cell,
    hand_in,
    make_course,
    notebook,
    release,
    written,
)

RIGHT, WRONG = written(notebook()), written(notebook(WRONG_ANSWER))
WRONG_TOO = WRONG.replace(b"0.0", b"1.0")
EXPECTED = {"anna": HONEST, "bruno": WRONG_ADD, "chloé": HONEST}

EASIER_TEST = HIDDEN_TESTS["test_add"].replace("x + 1, secret", "x + 1 or True")
"""The hidden tests of ``add``, edited: one of them passes with any number."""


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graded course with three students, two of whom handed in the same notebook."""
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
    """A copy of the graded course."""
    return Path(shutil.copytree(graded, tmp_path / "course"))


def results(course: Path) -> dict[str, int]:
    """Return the inode of each cached result by its key: a result that is written again has another one."""
    return {path.stem: path.stat().st_ino for path in (course / "autograded" / ".results").glob("*.json")}


def students_results(course: Path) -> set[str]:
    return {key for key in results(course) if not key.endswith("-source")}


def autograde(course: Path, *options: str) -> int:
    """Run the command; return how many submissions it found outdated."""
    run = nbgrader(course, "autograde", "tiny", *options)
    assert run.returncode == 0, run.stderr
    found = re.search(r"(\d+) submissions, (\d+) of them graded already", run.stderr)
    assert found
    return int(found[1]) - int(found[2])


def test_equal_submissions_are_graded_once(graded: Path) -> None:
    assert marks(graded, "tiny") == EXPECTED
    assert len(students_results(graded)) == 2


def autograde_here(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command in this process, where a test can replace parts of it."""
    monkeypatch.chdir(course)
    app = AutogradeApp()
    app.initialize(["--log-level=ERROR"])
    app.coursedir.assignment_id = "tiny"
    JudgedAutograde(coursedir=app.coursedir, parent=app).start()


def before_grading(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Call ``action`` after the command has read every submission, and before it grades the first one."""
    grade_all = WorkerPool.grade_all

    def act_and_grade(self: WorkerPool, *work: Any) -> Any:
        action()
        yield from grade_all(self, *work)

    monkeypatch.setattr(WorkerPool, "grade_all", act_and_grade)


def test_an_unchanged_class_is_not_graded_again(course: Path) -> None:
    before = results(course)
    run = nbgrader(course, "autograde", "tiny")
    assert "3 submissions, 3 of them graded already" in run.stderr
    assert "Grading the source notebook" not in run.stderr
    assert results(course) == before


def test_a_changed_submission_is_graded_again(course: Path) -> None:
    """Stock nbgrader would say "Skipping existing assignment", because the time stamp is the same."""
    hand_in(course, "anna", WRONG_TOO)
    assert autograde(course) == 1
    assert marks(course, "tiny") == EXPECTED | {"anna": WRONG_ADD}
    hand_in(course, "anna", RIGHT)
    before = results(course)
    assert autograde(course) == 1
    assert marks(course, "tiny") == EXPECTED
    assert results(course) == before, "the result of that notebook was in the cache"


def test_an_edited_hidden_test_outdates_every_result(course: Path) -> None:
    path = course / "grader_tests" / "tiny" / "test_add.py"
    path.write_text(EASIER_TEST)
    assert autograde(course) == 3
    assert marks(course, "tiny")["bruno"] == {"test_add": 1.5, "test_mean": 1.0}
    path.write_text(HIDDEN_TESTS["test_add"])
    before = results(course)
    assert autograde(course) == 3
    assert marks(course, "tiny") == EXPECTED
    assert results(course) == before


@pytest.mark.long
def test_only_changed_work_is_flagged_for_another_look(course: Path) -> None:
    """Editing a hidden test must not send a person back to every submission that they have graded by hand."""
    students = ("anna", "bruno", "chloé")
    with open_gradebook(course) as gradebook:
        for student in students:
            grade = gradebook.find_grade("test_add", "tiny", "tiny", student)
            grade.manual_score, grade.needs_manual_grade = 2.0, False
        gradebook.db.commit()

    def waiting() -> set[str]:
        with open_gradebook(course) as gradebook:
            grades = {student: gradebook.find_grade("test_add", "tiny", "tiny", student) for student in students}
            assert {grade.manual_score for grade in grades.values()} == {2.0}
            return {student for student, grade in grades.items() if grade.needs_manual_grade}

    path = course / "grader_tests" / "tiny" / "test_add.py"
    path.write_text(EASIER_TEST)  # this changes bruno's mark
    hand_in(course, "chloé", written(notebook(extra=("# my answer is elsewhere",))))
    assert autograde(course) == 3
    assert waiting() == {"bruno", "chloé"}
    assert autograde(course, "--force") == 3
    assert waiting() == {"bruno", "chloé"}, "the flag stays until a person has looked"


@pytest.mark.long
def test_other_points_flag_a_manual_mark_for_another_look(course: Path) -> None:
    """One of two points means something else than one of four. The mark of another cell is not flagged."""
    with open_gradebook(course) as gradebook:
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
    with open_gradebook(course) as gradebook:
        grades = {name: gradebook.find_grade(name, "tiny", "tiny", "bruno") for name in ("test_add", "test_mean")}
        flagged = {name: grade.needs_manual_grade for name, grade in grades.items()}
        assert flagged == {"test_add": True, "test_mean": False}


def test_students_code_sees_no_file_that_nbgrader_ignores(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (course / "source" / "tiny" / "answers.csv").write_text("1")
    hand_in(course, "bruno", written(notebook("def add(x): return x + int(open('answers.csv').read())")))
    configure(course, "c.CourseDirectory.ignore = ['*.csv']")
    autograde_here(course, monkeypatch)
    assert marks(course, "tiny")["bruno"] == WRONG_ADD


@pytest.mark.filterwarnings("ignore::nbformat.warnings.MissingIDFieldWarning")
@pytest.mark.parametrize("minor", [4, 5])
def test_a_source_without_cell_ids_is_the_same_each_time(course: Path, minor: int) -> None:
    """Older Jupyter versions write no ids. nbformat then makes up new ones each time, or adds none."""
    path = course / "source" / "tiny" / "tiny.ipynb"
    content = json.loads(path.read_text())
    content["nbformat_minor"] = minor
    for one in content["cells"]:
        del one["id"]
    path.write_text(json.dumps(content))
    [[first], [second]] = [load_assignment(path.parent, course / "grader_tests" / "tiny") for _ in range(2)]
    assert first.source == second.source
    assert len({one.id for one in first.skeleton.cells}) == len(content["cells"])


@pytest.mark.long
def test_an_answered_text_waits_despite_an_old_gradebook(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the gradebook from before the answer is put back: it says 0, and that no person has to look.

    The configuration says what an empty answer looks like.
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
        with open_gradebook(course) as gradebook:
            return bool(gradebook.find_grade("free", "tiny", "tiny", "anna").needs_manual_grade)

    assert not waits()
    shutil.copy(course / "gradebook.db", course / "old.db")
    path.write_text(path.read_text().replace("Write here.", "I think so."))
    assert waits()
    shutil.copy(course / "old.db", course / "gradebook.db")
    assert waits()
    before = (course / "gradebook.db").stat().st_mtime_ns
    autograde_here(course, monkeypatch)
    assert (course / "gradebook.db").stat().st_mtime_ns == before, "the gradebook is up to date"


def test_the_message_on_other_notebooks_says_how_to_fix_it(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`generate_assignment` refuses if there are marks, so the message must not advise it alone."""
    source = course / "source" / "tiny" / "tiny.ipynb"
    source.rename(source.with_name("other.ipynb"))
    with pytest.raises(NbGraderException, match=r"differ from those .*\(other, tiny\).* assignment remove tiny"):
        autograde_here(course, monkeypatch)
    source.with_name("other.ipynb").rename(source)
    with open_gradebook(course) as gradebook:
        gradebook.add_notebook("further", "tiny")
    with pytest.raises(NbGraderException, match=r"differ from those .*\(further\).* assignment remove tiny"):
        autograde_here(course, monkeypatch)


@pytest.mark.long
def test_settings_without_effect_are_named(course: Path) -> None:
    """Some of nbgrader's settings concern its own way of grading, such as a time limit: the judge ignores them."""
    configure(course, "c.Execute.allow_errors = False", "c.LimitOutput.max_lines = 5", "c.Execute.timeout = 600")
    run = nbgrader(course, "autograde", "tiny")
    [line] = [line for line in run.stderr.splitlines() if "WARNING" in line]
    assert "ignores Execute.allow_errors, LimitOutput.max_lines, because" in line


@pytest.mark.parametrize(
    "lost", [pytest.param("gradebook", marks=pytest.mark.long), "autograded", "marks", "one stored result"]
)
def test_lost_results_come_back(course: Path, lost: str) -> None:
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
        with open_gradebook(course) as gradebook:
            gradebook.find_grade("test_add", "tiny", "tiny", "anna").auto_score = None
            gradebook.find_grade(
                "test_add", "tiny", "tiny", "bruno"
            ).auto_score = 2.0  # as in an old copy of the gradebook
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


def test_force_grades_again(course: Path) -> None:
    before = results(course)
    left, of_another = (course / "autograded" / "anna" / f".{name}.abcdefgh" for name in ("tiny", "tiny.two"))
    for folder in (left, of_another):  # of a killed command, and of a command that grades the assignment tiny.two
        folder.mkdir()
    assert autograde(course, "--force", "--student=anna") == 1
    after = results(course)
    assert after.keys() == before.keys()
    assert sum(after[key] != before[key] for key in after) == 1
    assert marks(course, "tiny") == EXPECTED
    assert not left.exists()
    assert of_another.exists()


def test_excluded_students_are_not_graded(course: Path) -> None:
    for student in EXPECTED:
        hand_in(course, student, WRONG_TOO)
    assert autograde(course, "--CourseDirectory.student_id_exclude=bruno,chloé") == 1
    assert marks(course, "tiny") == EXPECTED | {"anna": WRONG_ADD}


def test_a_new_time_stamp_is_recorded_without_grading(course: Path) -> None:
    """It is also recorded in an old copy of the gradebook: the marks are the same, but the penalty may not be."""
    before = results(course)
    (course / "submitted" / "anna" / "tiny" / "timestamp.txt").write_text("2026-11-03 10:00:00.25 UTC")
    old = (course / "gradebook.db").read_bytes()
    for _ in range(2):
        (course / "gradebook.db").write_bytes(old)
        assert autograde(course) == 1
        with open_gradebook(course) as gradebook:
            assert gradebook.find_submission("tiny", "anna").timestamp.day == 3
    assert autograde(course) == 0
    (course / "submitted" / "anna" / "tiny" / "timestamp.txt").unlink()  # so that it is not late
    assert autograde(course) == 1
    with open_gradebook(course) as gradebook:
        assert gradebook.find_submission("tiny", "anna").timestamp is None
    assert autograde(course) == 0
    assert results(course) == before


LATE = code("""
    from nbgrader.plugins import BasePlugin

    class OnePoint(BasePlugin):
        def late_submission_penalty(self, student_id, score, total_seconds_late):
            return 1.0 if total_seconds_late > 0 else 0.0

    c.AssignLatePenalties.plugin_class = OnePoint
""")
"""Configuration: a late submission loses one point."""


def test_another_due_date_changes_penalties_without_grading(course: Path) -> None:
    configure(course, LATE)
    for student in ("anna", "bruno"):
        (course / "submitted" / student / "tiny" / "timestamp.txt").write_text("2026-11-03 10:00:00 UTC")
    page = course / "feedback" / "anna" / "tiny" / "tiny.html"
    penalties, pages = [], []
    for due in ("2026-11-04", "2026-11-02", "2026-11-01", "2026-11-05"):
        with open_gradebook(course) as gradebook:
            gradebook.update_or_create_assignment("tiny", duedate=due)
            if due == "2026-11-01":
                gradebook.grant_extension("tiny", "bruno", days=3)
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("marks")
        autograde(course)
        pages.append(page.exists())
        with open_gradebook(course) as gradebook:
            both = [gradebook.find_submission("tiny", student) for student in ("anna", "bruno")]
            penalties.append([submission.late_submission_penalty or 0 for submission in both])
    assert penalties == [[0, 0], [1, 1], [1, 0], [0, 0]]
    assert pages == [False, False, True, False], "the third page is still right; the first has an old time stamp"
    assert marks(course, "tiny") == EXPECTED


@pytest.mark.long
def test_an_extension_without_a_due_date_does_no_harm(course: Path) -> None:
    configure(course, LATE)
    (course / "submitted" / "anna" / "tiny" / "timestamp.txt").write_text("2026-11-03 10:00:00 UTC")
    for due, penalty in (("2026-11-01", 1.0), (None, 0.0)):
        with open_gradebook(course) as gradebook:
            gradebook.update_or_create_assignment("tiny", duedate=due)
            gradebook.grant_extension("tiny", "anna", days=1)
        autograde(course, "--force")
        run = nbgrader(course, "export", "--exporter=course_lib.nbgrader_plugins.exporters.Details")
        assert run.returncode == 0, run.stderr
        with open_gradebook(course) as gradebook:
            assert (gradebook.find_submission("tiny", "anna").late_submission_penalty or 0) == penalty


def test_a_penalty_that_fails_for_one_student_stops_no_other(
    course: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    penalty = "1.0 if total_seconds_late > 0 else 0.0"
    configure(course, LATE.replace(penalty, f"{{'bruno': {penalty}}}[student_id]"))
    for student in ("anna", "bruno"):
        (course / "submitted" / student / "tiny" / "timestamp.txt").write_text("2026-11-03 10:00:00 UTC")
    with open_gradebook(course) as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate="2026-11-02")
    for _ in range(2):  # once newly recorded, once unchanged
        with pytest.raises(NbGraderException, match=r"^Graded, but the penalty was not set: anna$"):
            autograde_here(course, monkeypatch)
        assert "Submission of anna: the plug-in for penalties: KeyError: 'anna'" in capfd.readouterr().err
    with open_gradebook(course) as gradebook:
        assert gradebook.find_submission("tiny", "bruno").late_submission_penalty == 1
    assert marks(course, "tiny") == EXPECTED


def test_an_outdated_feedback_page_is_deleted(course: Path) -> None:
    for student in EXPECTED:
        page = course / "feedback" / student / "tiny" / "tiny.html"
        page.parent.mkdir(parents=True)
        page.write_text("marks")
    hand_in(course, "anna", WRONG_TOO)
    assert autograde(course) == 1
    assert not (course / "feedback" / "anna" / "tiny").exists()
    assert (course / "feedback" / "bruno" / "tiny" / "tiny.html").exists()


def test_an_outdated_page_is_deleted_before_the_new_marks(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a command killed in between would leave a page with the old marks."""
    page = course / "feedback" / "anna" / "tiny" / "tiny.html"
    page.parent.mkdir(parents=True)
    page.write_text("marks")
    hand_in(course, "anna", WRONG_TOO)
    there: list[bool] = []
    monkeypatch.setattr(CourseGradebook, "record", lambda *arguments: there.append(page.exists()))
    autograde_here(course, monkeypatch)
    assert there == [False]


def test_a_file_replaced_during_grading_changes_no_other_mark(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files are equal when the command reads them, so it grades one for both; dora then hands in another file."""
    blank = written(notebook("raise NotImplementedError"))
    for student in ("dora", "emil"):
        hand_in(course, student, blank)
    before_grading(monkeypatch, lambda: hand_in(course, "dora", RIGHT))
    with pytest.raises(NbGraderException, match=r"dora$"):
        autograde_here(course, monkeypatch)
    monkeypatch.undo()
    lost = {"test_add": 0.0, "test_mean": 1.0}
    assert marks(course, "tiny") == EXPECTED | {"emil": lost}
    assert autograde(course) == 1
    assert marks(course, "tiny") == EXPECTED | {"dora": HONEST, "emil": lost}


def test_a_hidden_test_edited_during_grading_leaves_no_mark(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache would keep the result under the key of the old test. The same holds for data that a test reads."""
    path = course / "grader_tests" / "tiny" / "test_add.py"
    data = path.with_name("data.json")
    hand_in(course, "dora", WRONG_TOO)

    def edit() -> None:
        path.write_text(EASIER_TEST)
        data.write_text("{}")

    before_grading(monkeypatch, edit)
    with pytest.raises(NbGraderException, match=r"hidden tests changed .*data\.json, .*test_add\.py$"):
        autograde_here(course, monkeypatch)
    monkeypatch.undo()
    path.write_text(HIDDEN_TESTS["test_add"])
    data.unlink()
    assert autograde(course) == 1
    assert marks(course, "tiny") == EXPECTED | {"dora": WRONG_ADD}


def test_recording_a_new_student_waits_for_a_lock(
    course: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nbgrader turns SQLite's error into its own. SQLite waits for 5 s before it, here for 0.1 s."""
    hand_in(course, "dora", RIGHT)
    other = sqlite3.connect(course / "gradebook.db", check_same_thread=False)
    record = CourseGradebook.record

    def while_locked(self: CourseGradebook, *arguments: Any) -> None:
        other.execute("begin immediate")
        threading.Timer(0.5, other.rollback).start()
        record(self, *arguments)

    def wait_less(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA busy_timeout = 100")

    monkeypatch.setattr(CourseGradebook, "record", while_locked)
    event.listen(Engine, "connect", wait_less)
    try:
        autograde_here(course, monkeypatch)
    finally:
        event.remove(Engine, "connect", wait_less)
    assert marks(course, "tiny") == EXPECTED | {"dora": HONEST}
    assert "Traceback" not in capfd.readouterr().err


def test_a_fault_of_the_machine_is_reported_briefly(course: Path) -> None:
    hand_in(course, "dora", RIGHT)
    (course / "autograded" / "dora").touch()
    run = nbgrader(course, "autograde", "tiny")
    assert "Submission of dora: [Errno" in run.stderr
    (course / "autograded" / "dora").unlink()
    more = nbgrader(course, "autograde", "tiny", "--Autograde.create_student=False")
    assert "Submission of dora: No such student: dora" in more.stderr
    assert run.returncode == more.returncode == 1
    assert "Traceback" not in run.stderr + more.stderr


@pytest.mark.long
def test_the_temporary_folder_of_a_killed_command_is_removed(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running command holds a lock on its folder, which keeps the folder from being removed."""
    temporary = tmp_path / "t"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    hand_in(course, "dora", written(notebook(f"import time; time.sleep(20)\n{ADD}")))
    command = subprocess.Popen([sys.executable, "-m", "nbgrader", "autograde", "tiny"], cwd=course)
    while not list(temporary.glob(".workspace*/library")) and command.poll() is None:
        time.sleep(0.05)
    command.kill()
    command.wait()
    [left] = temporary.glob(".workspace*/")
    hand_in(course, "dora", RIGHT)
    with FileLock(f"{left}.lock"):
        autograde(course)
        assert left.exists(), "as long as it is locked"
    autograde(course)
    assert not list(temporary.glob(".workspace*"))


def test_a_submission_that_is_no_folder_is_reported(course: Path) -> None:
    for student in ("file", "link"):
        (course / "submitted" / student).mkdir()
    (course / "submitted" / "file" / "tiny").write_bytes(RIGHT)
    (course / "submitted" / "link" / "tiny").symlink_to(course / "moved")
    run = nbgrader(course, "autograde", "tiny")
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("is skipped: it is not a folder, or it is a broken link") == 2


def test_a_comment_on_an_answer_is_exported_with_its_mark(course: Path) -> None:
    """Formgrader attaches the comment to the solution cell, and the mark to the grade cell."""
    with open_gradebook(course) as gradebook:
        gradebook.find_comment("add", "tiny", "tiny", "anna").manual_comment = "Joli."
        gradebook.db.commit()
        record = read_class(gradebook, CourseDirectory(root=str(course)), "tiny")
    comments = {(one.student, mark.grade_id): mark.comment for one in record.submissions for mark in one.marks}
    assert {place: comment for place, comment in comments.items() if comment} == {("anna", "test_add"): "Joli."}


@pytest.mark.long
def test_the_result_cache_can_be_emptied(course: Path) -> None:
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
    assert "no cached results" in refused.stderr
    assert not (course / "source" / ".results").exists()
