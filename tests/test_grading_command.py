"""`nbgrader autograde` when something is wrong on the instructor's side, and marks that nothing printed can change."""

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
from courses import PROTECTIONS, configure, marks, nbgrader, result
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook
from nbgrader.api import Gradebook
from nbgrader.apps import AutogradeApp
from nbgrader.coursedir import CourseDirectory
from tiny_course import PYTHON, cell

from course_lib.assignment.loader import load_notebook_spec
from course_lib.authoring.errors import AssignmentError
from course_lib.authoring.result import Verdict
from course_lib.execution.executors import cores
from course_lib.nbgrader_plugins.autograde import JudgedAutograde

TEST = """
from course_lib.authoring.hidden_tests import hidden_test

@hidden_test(2, fr="f ajoute 1.", en="f adds 1.")
def test_f_adds_one(student):
    assert student.number("f", 1.0) == 2.0
"""


def small_notebook(answer: str, visible: str = "f(1.0)") -> nbformat.NotebookNode:
    return new_notebook(
        cells=[
            new_markdown_cell("# A small assignment", id="title"),
            cell("f", answer, solution=True),
            cell("test_f", visible, grade=True, locked=True, points=2),
        ],
        metadata={"kernelspec": PYTHON},
    )


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """A course with a small assignment, released."""
    tmp_path = tmp_path_factory.mktemp("released")
    for path in root.glob("nbgrader_config.*"):
        shutil.copy(path, tmp_path)
    configure(tmp_path, "c.JudgedAutograde.workers = 1")  # a second one takes longer to start than to grade
    (tmp_path / "source" / "small").mkdir(parents=True)
    (tmp_path / "grader_tests" / "small").mkdir(parents=True)
    (tmp_path / "grader_tests" / "small" / "test_f.py").write_text(TEST)
    source = "### BEGIN SOLUTION\nf = lambda x: x + 1\n### END SOLUTION"
    nbformat.write(small_notebook(source), tmp_path / "source" / "small" / "small.ipynb")
    run = nbgrader(tmp_path, "generate_assignment", "small")
    assert run.returncode == 0, run.stderr
    return tmp_path


@pytest.fixture
def course(released: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(released, tmp_path / "course"))


@pytest.fixture(scope="module")
def graded_once(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it with one student, whose answer is right and graded."""
    folder = Path(shutil.copytree(released, tmp_path_factory.mktemp("graded") / "course"))
    submit(folder, "anna", "f = lambda x: x + 1")
    run = nbgrader(folder, "autograde", "small")
    assert run.returncode == 0, run.stderr
    return folder


@pytest.fixture
def graded(graded_once: Path, tmp_path: Path) -> Path:
    """A copy of that one."""
    return Path(shutil.copytree(graded_once, tmp_path / "course"))


def submit(course: Path, student: str, answer: str, visible: str = "f(1.0)") -> None:
    folder = course / "submitted" / student / "small"
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(small_notebook(answer, visible), folder / "small.ipynb")


def marks_of_f(course: Path) -> dict[str, float]:
    return {student: mark for student, found in marks(course, "small").items() for mark in found.values()}


def test_a_mark_never_comes_from_what_a_cell_shows(course: Path) -> None:
    """Stock nbgrader reads marks from outputs: full marks for None and NaN, 0 for a warning, an abort above the maximum."""
    wrong = "def f(x):\n    {}\n    return 0.0"
    for name, shown in (
        ("nan", "float('nan')"), ("none", "None"), ("too_much", "99.0"), ("tensor", "__import__('torch').tensor(0.)"), ("full", "2.0"),
    ):  # fmt: skip
        submit(course, f"wrong_{name}", wrong.format(f"display({shown})"), shown)
    right = "import sys, warnings\ndef f(x):\n    {}\n    return x + 1"
    submit(course, "right_warning", right.format("warnings.warn('deprecated')"))
    submit(course, "right_stderr", right.format("print('0.0', file=sys.stderr)"))
    submit(course, "right_zero", right.format("print(0.0)"), "0.0")
    for student in ("wrong_nothing", "wrong_renamed"):  # no notebook of the assignment in the folder
        (course / "submitted" / student / "small").mkdir(parents=True)
    (course / "submitted" / "wrong_renamed" / "small" / "copy.ipynb").write_text("{}")
    run = nbgrader(course, "autograde", "small")
    assert run.returncode == 0, run.stderr
    assert {name: mark for name, mark in marks_of_f(course).items() if name.startswith("right")} == {
        "right_warning": 2, "right_stderr": 2, "right_zero": 2,
    }  # fmt: skip
    wrongs = [mark for name, mark in marks_of_f(course).items() if name.startswith("wrong")]
    assert wrongs == [0] * 7


def test_a_cell_that_stopped_is_named_where_a_property_does_not_hold(course: Path) -> None:
    """The student reads that it stopped, and not that the code runs."""
    submit(course, "stopped", "f = lambda x: x\n1 / 0\nf = lambda x: x + 1")
    submit(course, "endless", "f = lambda x: x\nwhile True: pass")
    submit(course, "syntax", "f = = x")
    submit(course, "wrong", "f = lambda x: x")
    submit(course, "right", "f = lambda x: x + 1\n1 / 0")
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


def test_a_broken_hidden_test_is_named_and_costs_nobody_a_point(graded: Path) -> None:
    """Then a regrade of a file that has become unreadable: the old mark does not survive."""
    path = graded / "grader_tests" / "small" / "test_f.py"
    for broken in (TEST.replace('student.number("f", 1.0)', "undefined"), TEST.replace("2, fr", "1, fr")):
        path.write_text(broken)
        run = nbgrader(graded, "autograde", "small", "--force")
        assert run.returncode != 0
        assert "test_f.py" in run.stderr
        assert "Traceback (most recent call last)" not in run.stderr
        assert marks_of_f(graded) == {"anna": 2}
    path.write_text(TEST)
    (graded / "submitted" / "anna" / "small" / "small.ipynb").write_text("{")
    run = nbgrader(graded, "autograde", "small", "--force")
    assert run.returncode == 0
    assert "Submission of anna: small.ipynb: JSON incorrect" in run.stderr
    assert marks_of_f(graded) == {"anna": 0}


def test_a_grade_cell_without_hidden_tests_is_named(course: Path) -> None:
    (course / "grader_tests" / "small" / "test_f.py").unlink()
    with pytest.raises(AssignmentError, match="test_f"):
        load_notebook_spec(course / "source" / "small" / "small.ipynb", course / "grader_tests" / "small")


def test_a_hidden_test_that_breaks_on_one_answer_stops_that_one_only(course: Path) -> None:
    path = course / "grader_tests" / "small" / "test_f.py"
    path.write_text(TEST.replace("    assert", '    {2.0: 0, 0.0: 0}[student.number("f", 1.0)]\n    assert'))
    submit(course, "odd", "f = lambda x: x + 7.5")
    submit(course, "right", "f = lambda x: x + 1")
    submit(course, "wrong", "f = lambda x: 0.0")
    run = nbgrader(course, "autograde", "small")
    assert run.returncode != 0
    assert "odd" in run.stderr
    assert "test_f.py" in run.stderr
    assert {name: mark for name, mark in marks_of_f(course).items() if mark is not None} == {"right": 2, "wrong": 0}
    assert not (course / "autograded" / "odd").exists() or not (course / "autograded" / "odd" / "small").exists()


def test_a_source_that_fails_its_own_tests_stops_the_run(course: Path) -> None:
    submit(course, "student", "f = lambda x: x + 1")
    source = "### BEGIN SOLUTION\nf = lambda x: x + 2\n### END SOLUTION"
    nbformat.write(small_notebook(source), course / "source" / "small" / "small.ipynb")
    run = nbgrader(course, "autograde", "small")
    assert run.returncode != 0
    assert "test_f_adds_one" in run.stderr
    assert marks_of_f(course) == {}


def test_formgrader_grades_with_the_judge_too(course: Path) -> None:
    """Formgrader's button calls nbgrader's API in the server's process."""
    submit(course, "student", "def f(x):\n    display(2.0)\n    return 0.0", "2.0")
    code = (
        "from nbgrader.apps import NbGraderAPI\n"
        "from nbgrader.apps.nbgraderapp import NbGrader\n"
        "app = NbGrader(); app.load_config_file()\n"
        "api = NbGraderAPI(config=app.config)\n"
        "if __name__ == '__main__':\n"
        "    result = api.autograde('small', 'student')\n"
        "    assert result['success'], result\n"
    )
    (course / "press_the_button.py").write_text(code)
    run = subprocess.run(
        [sys.executable, "press_the_button.py"], cwd=course, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert marks_of_f(course) == {"student": 0}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card here")
@pytest.mark.parametrize("protection", PROTECTIONS)
def test_it_is_said_that_there_is_no_graphics_card(course: Path, protection: str) -> None:
    submit(course, "anna", "f = lambda x: x + 1")
    of_the_cpu = nbgrader(course, "autograde", "small", f"--JudgedAutograde.protection={protection}")
    assert "no graphics card" not in of_the_cpu.stderr
    options = (f"--JudgedAutograde.protection={protection}", "--JudgedAutograde.device=cuda")
    run = nbgrader(course, "autograde", "small", *options)
    assert run.returncode == 0, run.stderr
    assert "c.JudgedAutograde.device: no graphics card: models are trained on the CPU (" in run.stderr
    assert marks_of_f(course) == {"anna": 2}
    assert "1 of them graded already" in run.stderr, "what it gives is what it was"


def judge(course: Path, assignment: str, **settings: object) -> JudgedAutograde:
    """What the command runs, in this process."""
    app = AutogradeApp()
    app.coursedir = CourseDirectory(root=str(course), assignment_id=assignment)
    return JudgedAutograde(coursedir=app.coursedir, parent=app, **settings)


@pytest.mark.parametrize(("setting", "value", "said"), [
    ("language", "de", "'de' is none of fr, en"), ("protection", "chroot", "'chroot' is none of bubblewrap, none"),
    ("device", "tpu", "'tpu' is none of cpu, cuda"), ("workers", -1, "-1 is less than 0"), ("limits", {"cell": "60"}, "cell is '60', which is no number"),
    ("limits", {"scratch": 1e9}, "scratch is 1000000000.0, which is no whole number"),
    ("limits", {"cells": 60}, "'cells' is none of cell, question, training,"),
])  # fmt: skip
def test_a_setting_that_cannot_be_is_named(course: Path, setting: str, value: object, said: str) -> None:
    with pytest.raises(AssignmentError, match=re.escape(f"c.JudgedAutograde.{setting}: {said}")):
        judge(course, "small", **{setting: value}).appeal("anna")


@pytest.mark.parametrize("name", ["small/", "s*", "large"])
def test_what_is_no_assignment_is_named_and_leaves_nothing(course: Path, name: str) -> None:
    """A slash by completion in the source folder, a pattern, a slip of the pen."""
    with pytest.raises(AssignmentError, match=re.escape(f"there is no assignment '{name}'")):
        judge(course, name).appeal("anna")
    assert not (course / "autograded").exists()


@pytest.mark.parametrize("right", [True, False])
def test_a_given_cell_of_the_source_that_stops_is_named(course: Path, right: bool) -> None:
    """Hidden tests may pass all the same, or fail because of it."""
    source = course / "source" / "small" / "small.ipynb"
    notebook = nbformat.read(source, as_version=4)
    notebook.cells.insert(1, cell("data", "open('points.csv')", locked=True))
    if not right:
        notebook.cells[2].source = notebook.cells[2].source.replace("+ 1", "+ 2")
    nbformat.write(notebook, source)
    configure(course, "c.JudgedAutograde.workers = 0")  # then it is graded with the threads of a student, too
    submit(course, "anna", "f = lambda x: x + 1")
    assert nbgrader(course, "generate_assignment", "small", "--force").returncode == 0
    run = nbgrader(course, "autograde", "small")
    assert (run.returncode == 0) is right
    assert run.stderr.count("small.ipynb, cell 'data' stopped: FileNotFoundError: ") == 1


@pytest.mark.skipif(cores() == 1, reason="the source has all cores, which is one")
def test_a_source_that_students_have_no_time_for_is_named(course: Path) -> None:
    """It is graded on every core, in more time; the 1.5 s that it takes are beyond the limit for each of them."""
    path = course / "source" / "small" / "small.ipynb"
    slow = "import time\\ndef f(x):\\n    end = time.process_time() + 1.5\\n    while time.process_time() < end: pass\\n    return x + 1"
    path.write_text(path.read_text().replace("f = lambda x: x + 1", slow))
    configure(course, "c.JudgedAutograde.limits = {'question': 1}", "c.JudgedAutograde.workers = 0")
    submit(course, "anna", "f = lambda x: x + 1")
    run = nbgrader(course, "autograde", "small")
    assert run.returncode != 0
    assert "test_f: test_f_adds_one: timeout" in run.stderr
    assert run.stderr.strip().endswith("c.JudgedAutograde.limits in nbgrader_config.py gives more time")


@pytest.mark.parametrize("fault", ["syntax", "environment"])
def test_nbgrader_does_nothing_without_its_configuration(
    graded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """It would go on as if there were no such file: students' code unprotected, marks read off what cells show."""
    escape = f"try:\n    open({str(tmp_path / 'escaped')!r}, 'w')\nexcept OSError:\n    pass"
    submit(graded, "anna", f"{escape}\nf = lambda x: x + 1", "0.0")
    before = (graded / "autograded" / "anna" / "small" / "small.ipynb").read_bytes()
    if fault == "syntax":
        configure(graded, 'c.JudgedAutograde.limits = {"cell": 60')
    else:  # another Python's nbgrader
        (tmp_path / "course_lib").mkdir()
        (tmp_path / "course_lib" / "__init__.py").write_text("raise ImportError('no such module')")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for command in ("autograde", "generate_assignment", "generate_feedback"):
        run = nbgrader(graded, command, "small", "--force")
        assert run.returncode != 0
        said = "nbgrader_config.py was not loaded to its end" if fault == "syntax" else "no such module"
        assert said in run.stderr.splitlines()[-1]
    assert not (tmp_path / "escaped").exists()
    assert (graded / "autograded" / "anna" / "small" / "small.ipynb").read_bytes() == before
    assert marks_of_f(graded) == {"anna": 2}


def test_what_is_no_gradebook_is_said_in_a_line(course: Path) -> None:
    submit(course, "anna", "f = lambda x: x + 1")
    (course / "gradebook.db").write_text("no database")
    run = nbgrader(course, "autograde", "small")
    assert run.returncode != 0
    assert "file is not a database" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_notebook_under_another_name_is_named(course: Path) -> None:
    submit(course, "anna", "f = lambda x: x + 1")
    (course / "submitted" / "anna" / "small" / "small.ipynb").rename(course / "submitted/anna/small/small (1).ipynb")
    run = nbgrader(course, "autograde", "small")
    assert run.returncode == 0
    said = "small.ipynb n'a pas été rendu, mais 'small (1).ipynb'"
    assert f"Submission of anna: small.ipynb: {said}" in run.stderr
    assert "permissions" not in run.stderr, "a line for each student breaks the progress bar"
    assert said in result(course, "anna", "small")["unreadable"]
    assert marks_of_f(course) == {"anna": 0}


def test_a_cell_renamed_after_the_grading_has_a_way_out(graded: Path) -> None:
    """Nbgrader adds and removes no cells while there are submissions."""
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
    with Gradebook(f"sqlite:///{graded / 'gradebook.db'}") as gradebook:
        assert gradebook.find_assignment("small").duedate == datetime(2030, 1, 2, 3, 4)


def test_an_assignment_may_have_two_notebooks_or_free_texts_only(course: Path) -> None:
    """But not two cells of one name: exports and hidden tests know cells by their names."""
    folder = course / "source" / "small"
    shutil.copy(folder / "small.ipynb", folder / "second.ipynb")
    submit(course, "anna", "f = lambda x: x + 1")
    assert nbgrader(course, "generate_assignment", "small", "--force").returncode == 0
    run = nbgrader(course, "autograde", "small")
    assert run.returncode != 0
    assert "several notebooks have cells test_f" in run.stderr
    text = new_markdown_cell("*Answer*", id="text")
    text.metadata["nbgrader"] = {
        "grade_id": "text", "grade": True, "solution": True, "locked": False, "task": False, "points": 1, "schema_version": 3,
    }  # fmt: skip
    texts = new_notebook(cells=[new_markdown_cell("# Why?"), text], metadata={"kernelspec": PYTHON})
    nbformat.write(texts, folder / "second.ipynb")
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
    assert "second.ipynb n'a pas été rendu\n" in run.stderr  # and nobody is told to rename the other one
    assert marks(course, "texts") == {"anna": {"text": None}}


def test_tests_add_up_whatever_floats_do(course: Path) -> None:
    tests = "from course_lib.authoring.hidden_tests import hidden_test\n"
    for i, points in enumerate((1.4, 0.4, 0.2)):
        tests += f"@hidden_test({points}, fr='a', en='a')\ndef test_{i}(student):\n    student.number('f', 1.0)\n"
    (course / "grader_tests" / "small" / "test_f.py").write_text(tests)
    submit(course, "anna", "f = lambda x: x + 1")
    run = nbgrader(course, "autograde", "small")
    assert run.returncode == 0, run.stderr
    assert marks_of_f(course) == {"anna": 2}


def test_a_marker_without_its_end_is_named(course: Path) -> None:
    path = course / "source" / "small" / "small.ipynb"
    notebook = small_notebook("### BEGIN SOLUTION\nf = lambda x: x + 1", "f(1.0)\n### BEGIN HIDDEN TESTS\npass")
    nbformat.write(notebook, path)
    with pytest.raises(AssignmentError) as caught:
        load_notebook_spec(path, course / "grader_tests" / "small")
    assert "cell 2 'f': ### BEGIN SOLUTION and ### END SOLUTION do not go together" in str(caught.value)
    assert "cell 3 'test_f': ### BEGIN HIDDEN TESTS" in str(caught.value)
    notebook.cells.append(NotebookNode(notebook.cells[-1] | {"id": "copy"}))
    nbformat.write(notebook, path)
    with pytest.raises(AssignmentError, match="two cells are called 'test_f'"):
        load_notebook_spec(path, course / "grader_tests" / "small")
