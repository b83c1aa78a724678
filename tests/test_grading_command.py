"""`nbgrader autograde`: marks that no output can change, and errors in the instructor's files and settings."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
import torch
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook
from nbgrader.apps import AutogradeApp
from nbgrader.coursedir import CourseDirectory

from course_lib.assignment.loader import load_assignment, load_notebook_spec
from course_lib.execution.run_settings import cores
from course_lib.nbgrader_plugins.autograde import JudgedAutograde
from course_lib.results.errors import AssignmentError
from course_lib.results.result import Verdict
from tests.support.code import code
from tests.support.courses import PROTECTIONS, configure, marks, nbgrader, open_gradebook, result
from tests.support.tiny_course import PYTHON, cell

TEST = code("""
    from course_lib.authoring.hidden_test import hidden_test

    @hidden_test(2, fr="f ajoute 1.", en="f adds 1.")
    def test_f_adds_one(student):
        assert student.number("f", 1.0) == 2.0
""")
RIGHT = "f = lambda x: x + 1"


def small_notebook(answer: str, visible: str = "f(1.0)") -> NotebookNode:
    """Return a notebook with one solution cell, ``answer``, and one grade cell, ``visible``."""
    return new_notebook(
        cells=[
            new_markdown_cell("# A small assignment", id="title"),
            cell("f", answer, solution=True),
            cell("test_f", visible, grade=True, locked=True, points=2),
        ],
        metadata={"kernelspec": PYTHON},
    )


def small_source(answer: str) -> NotebookNode:
    """Return the source of the assignment, with ``answer`` as its solution."""
    return small_notebook(f"### BEGIN SOLUTION\n{answer}\n### END SOLUTION")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """A course with a small assignment, released."""
    tmp_path = tmp_path_factory.mktemp("released")
    for path in root.glob("nbgrader_config.*"):
        shutil.copy(path, tmp_path)
    configure(tmp_path, "c.JudgedAutograde.workers = 1")  # a second worker takes longer to start than to grade
    (tmp_path / "source" / "small").mkdir(parents=True)
    (tmp_path / "grader_tests" / "small").mkdir(parents=True)
    (tmp_path / "grader_tests" / "small" / "test_f.py").write_text(TEST)
    nbformat.write(small_source(RIGHT), tmp_path / "source" / "small" / "small.ipynb")
    run = nbgrader(tmp_path, "generate_assignment", "small")
    assert run.returncode == 0, run.stderr
    return tmp_path


@pytest.fixture
def course(released: Path, tmp_path: Path) -> Path:
    """A copy of the released course."""
    return Path(shutil.copytree(released, tmp_path / "course"))


@pytest.fixture(scope="module")
def graded_once(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A released course with one student, anna, whose right answer is graded."""
    folder = Path(shutil.copytree(released, tmp_path_factory.mktemp("graded") / "course"))
    submit(folder, "anna", RIGHT)
    run = nbgrader(folder, "autograde", "small")
    assert run.returncode == 0, run.stderr
    return folder


@pytest.fixture
def graded(graded_once: Path, tmp_path: Path) -> Path:
    """A copy of the graded course."""
    return Path(shutil.copytree(graded_once, tmp_path / "course"))


def submit(course: Path, student: str, answer: str, visible: str = "f(1.0)") -> None:
    folder = course / "submitted" / student / "small"
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(small_notebook(answer, visible), folder / "small.ipynb")


def marks_of_f(course: Path) -> dict[str, float]:
    return {student: mark for student, found in marks(course, "small").items() for mark in found.values()}


def test_a_mark_never_comes_from_an_output(course: Path) -> None:
    """Stock nbgrader reads outputs: None and NaN earn full marks, a warning 0, and a large number stops the class."""
    wrong = code("""
        def f(x):
            {}
            return 0.0
    """)
    shown = {
        "nan": "float('nan')",
        "none": "None",
        "too_much": "99.0",
        "tensor": "__import__('torch').tensor(0.)",
        "full": "2.0",
    }
    for name, value in shown.items():
        submit(course, f"wrong_{name}", wrong.format(f"display({value})"), value)
    right = code("""
        import sys, warnings
        def f(x):
            {}
            return x + 1
    """)
    submit(course, "right_warning", right.format("warnings.warn('deprecated')"))
    submit(course, "right_stderr", right.format("print('0.0', file=sys.stderr)"))
    submit(course, "right_zero", right.format("print(0.0)"), "0.0")
    for student in ("wrong_nothing", "wrong_renamed"):  # no notebook; an empty folder is skipped
        (course / "submitted" / student / "small").mkdir(parents=True)
    (course / "submitted" / "wrong_renamed" / "small" / "copy.ipynb").write_text("{}")
    run = nbgrader(course, "autograde", "small")
    assert run.returncode == 0, run.stderr
    rights = {name: mark for name, mark in marks_of_f(course).items() if name.startswith("right")}
    assert rights == {"right_warning": 2, "right_stderr": 2, "right_zero": 2}
    wrongs = [mark for name, mark in marks_of_f(course).items() if name.startswith("wrong")]
    assert wrongs == [0] * 6


def test_an_error_in_the_cell_explains_a_lost_point(course: Path) -> None:
    """A cell that stopped may have defined a function that is wrong: the student reads why the cell stopped."""
    stopped = code("""
        f = lambda x: x
        1 / 0
        f = lambda x: x + 1
    """)
    endless = code("""
        f = lambda x: x
        while True: pass
    """)
    submit(course, "stopped", stopped)
    submit(course, "endless", endless)
    submit(course, "syntax", "f = = x")
    submit(course, "wrong", "f = lambda x: x")
    submit(course, "right", f"{RIGHT}; 1 / 0")
    configure(course, "c.JudgedAutograde.limits = {'cell': 2}")
    run = nbgrader(course, "autograde", "small")
    assert run.returncode == 0, run.stderr
    assert marks_of_f(course) == {"stopped": 0, "endless": 0, "syntax": 0, "wrong": 0, "right": 2}
    names = ("stopped", "endless", "syntax", "wrong")
    tests = {name: result(course, name, "small").cells[0].tests[0] for name in names}
    assert {name: (test.verdict, test.detail) for name, test in tests.items()} == {
        "stopped": (Verdict.ERROR, "ZeroDivisionError: division by zero ; une division par zéro."),
        "endless": (Verdict.TIMEOUT, "f = lambda x: x"),
        "syntax": (Verdict.ERROR, "SyntaxError: invalid syntax (line 1) ; ce n'est pas du Python valide."),
        "wrong": (Verdict.FAILED, ""),
    }


def test_a_broken_hidden_test_costs_nobody_a_point(graded: Path) -> None:
    path = graded / "grader_tests" / "small" / "test_f.py"
    for broken in (TEST.replace('student.number("f", 1.0)', "undefined"), TEST.replace("2, fr", "1, fr")):
        path.write_text(broken)
        run = nbgrader(graded, "autograde", "small", "--force")
        assert run.returncode != 0
        assert "test_f.py" in run.stderr
        assert "Traceback (most recent call last)" not in run.stderr
        assert marks_of_f(graded) == {"anna": 2}


def test_a_file_that_became_unreadable_loses_its_mark(graded: Path) -> None:
    (graded / "submitted" / "anna" / "small" / "small.ipynb").write_text("{")
    run = nbgrader(graded, "autograde", "small")
    assert run.returncode == 0
    assert "Submission of anna: small.ipynb: JSON incorrect" in run.stderr
    assert marks_of_f(graded) == {"anna": 0}


def test_a_grade_cell_without_hidden_tests_may_be_refused(course: Path) -> None:
    (course / "grader_tests" / "small" / "test_f.py").unlink()
    configure(course, "c.JudgedAutograde.classic = 'refuse'")
    submit(course, "right", RIGHT)
    run = nbgrader(course, "autograde", "small")
    assert run.returncode == 1
    assert "These grade cells have no file of hidden tests: small: test_f." in run.stderr


def test_hidden_tests_under_another_name_are_no_classic_cell(course: Path) -> None:
    tests = course / "grader_tests" / "small"
    (tests / "test_f.py").rename(tests / "tets_f.py")
    with pytest.raises(AssignmentError, match=r"tets_f.py: no grade cell has this name.* tests for test_f"):
        load_assignment(course / "source" / "small", tests)


def test_a_hidden_test_that_stops_costs_its_points_for_now(course: Path) -> None:
    """Everything else is graded and recorded, and the command names the place until the test is fixed."""
    path = course / "grader_tests" / "small" / "test_f.py"
    path.write_text(TEST.replace("    assert", '    {2.0: 0, 0.0: 0}[student.number("f", 1.0)]\n    assert'))
    submit(course, "odd", "f = lambda x: x + 7.5")
    submit(course, "right", RIGHT)
    submit(course, "wrong", "f = lambda x: 0.0")
    line = path.read_text().splitlines().index('    {2.0: 0, 0.0: 0}[student.number("f", 1.0)]') + 1
    for _ in range(2):
        run = nbgrader(course, "autograde", "small", language="en")
        assert run.returncode != 0
        assert f"test_f.py:{line}: KeyError: 8.5" in run.stderr
        assert "no points to odd" in run.stderr
        assert marks_of_f(course) == {"odd": 0, "right": 2, "wrong": 0}
    page = (course / "autograded" / "odd" / "small" / "small.ipynb").read_text()
    assert "provisoires" in page
    assert "KeyError" not in page
    path.write_text(TEST)
    assert nbgrader(course, "autograde", "small").returncode == 0


def test_a_source_that_fails_its_own_tests_stops_the_run(course: Path) -> None:
    submit(course, "student", RIGHT)
    nbformat.write(small_source("f = lambda x: x + 2"), course / "source" / "small" / "small.ipynb")
    run = nbgrader(course, "autograde", "small")
    assert run.returncode != 0
    assert "test_f_adds_one" in run.stderr
    assert marks_of_f(course) == {}


def test_formgrader_grades_with_the_judge(course: Path) -> None:
    """Formgrader's button calls nbgrader's API in the server's process."""
    cheat = code("""
        def f(x):
            display(2.0)
            return 0.0
    """)
    submit(course, "student", cheat, "2.0")
    press_the_button = code("""
        from nbgrader.apps import NbGraderAPI
        from nbgrader.apps.nbgraderapp import NbGrader
        app = NbGrader()
        app.load_config_file()
        api = NbGraderAPI(config=app.config)
        if __name__ == '__main__':
            result = api.autograde('small', 'student')
            assert result['success'], result
    """)
    (course / "press_the_button.py").write_text(press_the_button)
    command = [sys.executable, "press_the_button.py"]
    run = subprocess.run(command, cwd=course, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert marks_of_f(course) == {"student": 0}


@pytest.mark.long
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("protection", PROTECTIONS)
def test_a_missing_gpu_is_reported(course: Path, protection: str) -> None:
    submit(course, "anna", RIGHT)
    on_the_cpu = nbgrader(course, "autograde", "small", f"--JudgedAutograde.protection={protection}")
    assert "no GPU" not in on_the_cpu.stderr
    options = (f"--JudgedAutograde.protection={protection}", "--JudgedAutograde.device=cuda")
    run = nbgrader(course, "autograde", "small", *options)
    assert run.returncode == 0, run.stderr
    assert "c.JudgedAutograde.device: no GPU: models are trained on the CPU (" in run.stderr
    assert marks_of_f(course) == {"anna": 2}
    assert "1 of them graded already" in run.stderr, "the result on the CPU still holds"


def judge(course: Path, assignment: str, **settings: object) -> JudgedAutograde:
    """Return the object that the command runs, in this process."""
    app = AutogradeApp()
    app.coursedir = CourseDirectory(root=str(course), assignment_id=assignment)
    return JudgedAutograde(coursedir=app.coursedir, parent=app, **settings)


def test_the_command_ends_with_the_marks(course: Path) -> None:
    """A submission that was deleted does not keep its mark unnoticed."""
    for student in ("anna", "bob"):
        submit(course, student, RIGHT)
    said = nbgrader(course, "autograde", "small").stderr
    assert [line.split() for line in said.splitlines() if line.lstrip().startswith(("anna", "bob"))] == [
        [student, "2", "2", "tout", "réussi"] for student in ("anna", "bob")
    ]
    shutil.rmtree(course / "submitted" / "bob")
    run = nbgrader(course, "autograde", "small")
    assert run.returncode == 0
    assert "no longer in submitted: bob. Their marks stay" in run.stderr


def test_a_folder_that_cannot_be_read_stops_nobody(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for student in ("anna", "bob"):
        submit(course, student, RIGHT)
    monkeypatch.setattr("os.listdir", lambda path: ["file"] if "anna" in path else os.stat(f"{path}/nothing"))
    monkeypatch.chdir(course)
    command = judge(course, "small")
    command.init_notebooks()
    assert [folder.split("/")[-2] for folder in command.assignments] == ["anna"]


@pytest.mark.parametrize(("setting", "value", "said"), [
    ("language", "de", "'de' is not one of fr, en"), ("protection", "chroot", "'chroot' is not one of bubblewrap, none"),
    ("device", "tpu", "'tpu' is not one of cpu, cuda"), ("workers", -1, "-1 is negative"), ("limits", {"cell": "60"}, "cell is '60', but must be a number"),
    ("limits", {"scratch": 1e9}, "scratch is 1000000000.0, but must be an integer"),
    ("limits", {"cells": 60}, "'cells' is unknown; choose from cell, slack, question,"),
])  # fmt: skip
def test_a_wrong_setting_is_named(course: Path, setting: str, value: object, said: str) -> None:
    with pytest.raises(AssignmentError, match=re.escape(f"c.JudgedAutograde.{setting}: {said}")):
        judge(course, "small", **{setting: value}).appeal("anna")


@pytest.mark.parametrize("name", ["small/", "s*", "large"])
def test_an_unknown_assignment_is_named_and_leaves_no_folder(course: Path, name: str) -> None:
    """A shell may complete the name of the folder with a slash; a pattern and a typing error are no names either."""
    with pytest.raises(AssignmentError, match=re.escape(f"there is no assignment '{name}'")):
        judge(course, name).appeal("anna")
    assert not (course / "autograded").exists()


@pytest.mark.long
@pytest.mark.parametrize("right", [True, False])
def test_a_given_cell_of_the_source_that_stops_is_named(course: Path, right: bool) -> None:
    """Hidden tests may pass without it, or fail because of it."""
    source = course / "source" / "small" / "small.ipynb"
    notebook = nbformat.read(source, as_version=4)
    notebook.cells.insert(1, cell("data", "open('points.csv')", locked=True))
    if not right:
        notebook.cells[2].source = notebook.cells[2].source.replace("+ 1", "+ 2")
    nbformat.write(notebook, source)
    configure(course, "c.JudgedAutograde.workers = 0")  # the source is graded with a student's threads, too
    submit(course, "anna", RIGHT)
    assert nbgrader(course, "generate_assignment", "small", "--force").returncode == 0
    run = nbgrader(course, "autograde", "small")
    assert (run.returncode == 0) is right
    assert run.stderr.count("small.ipynb, cell 'data' stopped: FileNotFoundError: ") == 1


@pytest.mark.long
@pytest.mark.skipif(cores() == 1, reason="the source gets no more cores than a student")
def test_a_source_that_takes_longer_than_students_may_is_named(course: Path) -> None:
    """The source is graded on every core and gets more time. It needs 1.5 s of a student's 1 s."""
    slow = code("""
        import time
        def f(x):
            end = time.process_time() + 1.5
            while time.process_time() < end: pass
            return x + 1
    """)
    nbformat.write(small_source(slow), course / "source" / "small" / "small.ipynb")
    configure(course, "c.JudgedAutograde.limits = {'question': 1}", "c.JudgedAutograde.workers = 0")
    submit(course, "anna", RIGHT)
    run = nbgrader(course, "autograde", "small")
    assert run.returncode != 0
    assert "test_f: test_f_adds_one: timeout" in run.stderr
    assert run.stderr.strip().endswith("To allow more time, set c.JudgedAutograde.limits in nbgrader_config.py")


@pytest.mark.parametrize("fault", ["syntax", "environment"])
def test_nbgrader_does_nothing_without_its_configuration(
    graded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Stock nbgrader would go on without it: it would run students' code unprotected, and read marks from outputs."""
    escape = code(f"""
        try:
            open({str(tmp_path / "escaped")!r}, 'w')
        except OSError:
            pass
        {RIGHT}
    """)
    submit(graded, "anna", escape, "0.0")
    before = (graded / "autograded" / "anna" / "small" / "small.ipynb").read_bytes()
    if fault == "syntax":
        configure(graded, 'c.JudgedAutograde.limits = {"cell": 60')
    else:  # nbgrader of another Python environment
        (tmp_path / "course_lib").mkdir()
        (tmp_path / "course_lib" / "__init__.py").write_text("raise ImportError('no such module')")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for command in ("autograde", "generate_assignment", "generate_feedback"):
        run = nbgrader(graded, command, "small", "--force")
        assert run.returncode != 0
        said = "nbgrader_config.py was not fully loaded" if fault == "syntax" else "no such module"
        assert said in run.stderr.splitlines()[-1]
    assert not (tmp_path / "escaped").exists()
    assert (graded / "autograded" / "anna" / "small" / "small.ipynb").read_bytes() == before
    assert marks_of_f(graded) == {"anna": 2}


def test_a_gradebook_that_is_no_database_is_reported(course: Path) -> None:
    submit(course, "anna", RIGHT)
    (course / "gradebook.db").write_text("no database")
    run = nbgrader(course, "autograde", "small")
    assert run.returncode != 0
    assert "file is not a database" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_notebook_under_another_name_is_named(course: Path) -> None:
    submit(course, "anna", RIGHT)
    path = course / "submitted" / "anna" / "small" / "small.ipynb"
    path.rename(path.with_name("small (1).ipynb"))
    run = nbgrader(course, "autograde", "small")
    assert run.returncode == 0
    said = "small.ipynb n'a pas été rendu, mais 'small (1).ipynb'"
    assert f"Submission of anna: small.ipynb: {said}" in run.stderr
    assert "permissions" not in run.stderr, "a line for each student breaks the progress bar"
    assert said in result(course, "anna", "small")["unreadable"]
    assert marks_of_f(course) == {"anna": 0}


@pytest.mark.long
def test_the_message_on_a_renamed_cell_says_how_to_fix_it(graded: Path) -> None:
    """Nbgrader adds and removes no cells while an assignment has submissions. The commands in the message work."""
    assert nbgrader(graded, "db", "assignment", "add", "small", "--duedate=2030-01-02 03:04 UTC").returncode == 0
    for path in (graded / "source" / "small" / "small.ipynb", graded / "submitted" / "anna" / "small" / "small.ipynb"):
        path.write_text(path.read_text().replace("test_f", "test_g"))
    (graded / "grader_tests" / "small" / "test_f.py").rename(graded / "grader_tests" / "small" / "test_g.py")
    run = nbgrader(graded, "autograde", "small")
    assert run.returncode != 0
    assert "(test_f, test_g)" in run.stderr
    commands = re.findall(r"'nbgrader ([^']+)'", run.stderr.splitlines()[-1])
    assert len(commands) == 2
    again = re.findall(r"nbgrader (db assignment add .*)$", run.stderr.splitlines()[-1])
    assert len(again) == 1
    for command in (*commands, *again, "autograde small"):
        run = nbgrader(graded, *shlex.split(command))
        assert run.returncode == 0, run.stderr
    assert marks(graded, "small") == {"anna": {"test_g": 2}}
    with open_gradebook(graded) as gradebook:
        assert gradebook.find_assignment("small").duedate == datetime(2030, 1, 2, 3, 4)


def test_two_notebooks_may_not_have_cells_of_one_name(course: Path) -> None:
    """Exports and hidden tests know cells by their names."""
    folder = course / "source" / "small"
    shutil.copy(folder / "small.ipynb", folder / "second.ipynb")
    submit(course, "anna", RIGHT)
    assert nbgrader(course, "generate_assignment", "small", "--force").returncode == 0
    run = nbgrader(course, "autograde", "small")
    assert run.returncode != 0
    assert "several notebooks have a cell test_f" in run.stderr


@pytest.mark.long
def test_an_assignment_may_have_two_notebooks_or_only_texts(course: Path) -> None:
    submit(course, "anna", RIGHT)
    text = new_markdown_cell("*Answer*", id="text")
    text.metadata["nbgrader"] = {
        "grade_id": "text", "grade": True, "solution": True, "locked": False, "task": False, "points": 1, "schema_version": 3,
    }  # fmt: skip
    texts = new_notebook(cells=[new_markdown_cell("# Why?"), text], metadata={"kernelspec": PYTHON})
    nbformat.write(texts, course / "source" / "small" / "second.ipynb")
    (course / "source" / "texts").mkdir()
    nbformat.write(texts, course / "source" / "texts" / "texts.ipynb")
    text.source = "Because."
    nbformat.write(texts, course / "submitted" / "anna" / "small" / "second.ipynb")
    (course / "submitted" / "anna" / "texts").mkdir()
    nbformat.write(texts, course / "submitted" / "anna" / "texts" / "texts.ipynb")
    for assignment in ("small", "texts"):
        for command in ("generate_assignment", "autograde"):
            more = ["--force"] if command == "generate_assignment" else []
            run = nbgrader(course, command, assignment, *more)
            assert run.returncode == 0, run.stderr
    assert "1 submissions, 1 of them graded already" in nbgrader(course, "autograde", "small").stderr
    assert marks(course, "small") == {"anna": {"test_f": 2, "text": None}}
    (course / "submitted" / "anna" / "small" / "second.ipynb").unlink()
    run = nbgrader(course, "autograde", "small")
    assert "second.ipynb n'a pas été rendu\n" in run.stderr, "the message names no other file"
    assert marks(course, "texts") == {"anna": {"text": None}}


def test_rounding_errors_of_points_do_not_matter(course: Path) -> None:
    """1.4 + 0.4 + 0.2 is not 2 in floating point."""
    tests = code("""
        from course_lib.authoring.hidden_test import hidden_test

        @hidden_test(1.4, fr='a', en='a')
        def test_1(student):
            student.number('f', 1.0)

        @hidden_test(0.4, fr='a', en='a')
        def test_2(student):
            student.number('f', 1.0)

        @hidden_test(0.2, fr='a', en='a')
        def test_3(student):
            student.number('f', 1.0)
    """)
    (course / "grader_tests" / "small" / "test_f.py").write_text(tests)
    submit(course, "anna", RIGHT)
    run = nbgrader(course, "autograde", "small")
    assert run.returncode == 0, run.stderr
    assert marks_of_f(course) == {"anna": 2}


def test_markers_without_end_and_equal_names_are_named(course: Path) -> None:
    path = course / "source" / "small" / "small.ipynb"
    notebook = small_notebook(f"### BEGIN SOLUTION\n{RIGHT}", "f(1.0)\n### BEGIN HIDDEN TESTS\npass")
    nbformat.write(notebook, path)
    with pytest.raises(AssignmentError) as caught:
        load_notebook_spec(path, course / "grader_tests" / "small")
    assert "cell 2 'f': ### BEGIN SOLUTION and ### END SOLUTION do not match" in str(caught.value)
    assert "cell 3 'test_f': ### BEGIN HIDDEN TESTS" in str(caught.value)
    notebook.cells.append(NotebookNode(notebook.cells[-1] | {"id": "copy"}))
    nbformat.write(notebook, path)
    with pytest.raises(AssignmentError, match="two cells have the id 'test_f'"):
        load_notebook_spec(path, course / "grader_tests" / "small")
