"""`nbgrader autograde` when something is wrong on the instructor's side, and marks that nothing printed can change."""

import shutil
from pathlib import Path

import nbformat
import pytest
from courses import marks, nbgrader
from nbformat.v4 import new_markdown_cell, new_notebook
from tiny_course import PYTHON, cell

from course_lib.grading.assignment import load_notebook_spec
from course_lib.grading.errors import AssignmentError

TEST = """
from course_lib.grading.hidden import hidden_test

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
    shutil.copy(root / "nbgrader_config.py", tmp_path)
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


def test_a_broken_hidden_test_is_named_and_costs_nobody_a_point(course: Path) -> None:
    """Then a regrade of a file that has become unreadable: the old mark does not survive."""
    submit(course, "student", "f = lambda x: x + 1")
    assert nbgrader(course, "autograde", "small").returncode == 0
    path = course / "grader_tests" / "small" / "test_f.py"
    for broken in (TEST.replace('student.number("f", 1.0)', "undefined"), TEST.replace("2, fr", "1, fr")):
        path.write_text(broken)
        run = nbgrader(course, "autograde", "small", "--force")
        assert run.returncode != 0
        assert "test_f.py" in run.stderr
        assert "Traceback (most recent call last)" not in run.stderr
        assert marks_of_f(course) == {"student": 2}
    path.write_text(TEST)
    (course / "submitted" / "student" / "small" / "small.ipynb").write_text("{")
    assert nbgrader(course, "autograde", "small", "--force").returncode == 0
    assert marks_of_f(course) == {"student": 0}


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
    import subprocess
    import sys

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


@pytest.mark.parametrize("device", ["", "cpu", "cuda"])
def test_it_is_said_that_a_sandbox_has_no_gpu(course: Path, monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    submit(course, "anna", "f = lambda x: x + 1")
    monkeypatch.setenv("COURSE_LIB_DEVICE", device)
    run = nbgrader(course, "autograde", "small")
    assert run.returncode == 0, run.stderr
    said = f"COURSE_LIB_DEVICE={device}: kernels in the sandbox compute on the CPU" in run.stderr
    assert said == (device == "cuda")
    assert marks_of_f(course) == {"anna": 2}
