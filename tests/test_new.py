"""`course new`: an assignment that works, to start from."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from courses import marks, nbgrader
from nbgrader.api import Gradebook

from course_lib.grading import doctor, new
from course_lib.grading.__main__ import main
from course_lib.grading.assignment import load_notebook_spec
from course_lib.grading.authoring import hidden_tests
from course_lib.grading.demo_class import Situation, fill

ROOT_MSE = "def mse(y_pred, y):\n    return ((y_pred - y) ** 2).mean().sqrt()"
IN_PLACE = "def mse(y_pred, y):\n    y_pred -= y\n    return (y_pred**2).mean()"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """A course with nothing but its configuration."""
    folder = tmp_path_factory.mktemp("new")
    shutil.copy(root / "nbgrader_config.py", folder)
    return folder


@pytest.fixture
def run(course: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Runs `course new` in the course; returns what it says when it refuses."""

    def call(*arguments: str) -> object:
        monkeypatch.chdir(course)
        monkeypatch.setattr(sys, "argv", ["course", "new", *arguments])
        try:
            main()
        except SystemExit as end:
            return end.code
        return None

    return call


def test_a_new_assignment_is_released_graded_and_reported_as_it_is(
    course: Path, run: Callable[..., object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("exercise2") is None
    shown = capsys.readouterr().out
    for step in (
        "source/exercise2/exercise2.ipynb",
        "grader_tests/exercise2/test_mse.py",
        "nbgrader autograde exercise2",
    ):
        assert step in shown
    generated = nbgrader(course, "generate_assignment", "exercise2")
    assert generated.returncode == 0, generated.stderr
    spec = load_notebook_spec(
        course / "source" / "exercise2" / "exercise2.ipynb", course / "grader_tests" / "exercise2"
    )
    handed_in = {
        "untouched": (course / "release" / "exercise2" / "exercise2.ipynb").read_bytes(),
        "right": fill(spec, Situation("right")),
        "root": fill(spec, Situation("root", lambda right: right | {"mse": ROOT_MSE})),
        "in_place": fill(spec, Situation("in_place", lambda right: right | {"mse": IN_PLACE})),
    }
    for student, content in handed_in.items():
        target = course / "submitted" / student / "exercise2"
        target.mkdir(parents=True)
        (target / "exercise2.ipynb").write_bytes(content)
    graded = nbgrader(course, "autograde", "exercise2")
    assert graded.returncode == 0, graded.stderr
    found = marks(course, "exercise2")
    assert {student: mark.pop("test_mse") for student, mark in found.items()} == {
        "untouched": 0.0,
        "right": 2.0,
        "root": 0.5,
        "in_place": 1.5,
    }
    assert found["untouched"] == {"question_mse": 0.0}
    assert found["right"] == {"question_mse": None}, "a person grades it"
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        assert gradebook.find_assignment("exercise2").max_score == 3
    assert nbgrader(course, "generate_feedback", "exercise2", "--student=root").returncode == 0
    page = (course / "feedback" / "root" / "exercise2" / "exercise2.html").read_text()
    assert "la racine est de trop" in page
    released = handed_in["untouched"].decode()
    assert "BEGIN" not in released
    assert "Barème" not in released


def test_the_doctor_and_the_authors_own_notebook_know_it(course: Path, run: Callable[..., object]) -> None:
    assert run("exercise3") is None
    findings = {finding.what: finding.says for finding in doctor._course()}
    assert findings["assignment exercise3"] == "2 grade cells, 3 points"
    notebook = nbformat.read(course / "source" / "exercise3" / "exercise3.ipynb", as_version=4)
    last = next(cell.source for cell in notebook.cells if cell.id == "test_mse").splitlines()[-2]
    assert last == 'hidden_tests("exercise3", "test_mse", globals())'
    namespace: dict[str, object] = {}
    exec(next(cell.source for cell in notebook.cells if cell.id == "mse"), namespace)
    hidden_tests("exercise3", "test_mse", namespace)
    exec(ROOT_MSE, namespace)
    with pytest.raises(AssertionError, match="la racine est de trop"):
        hidden_tests("exercise3", "test_mse", namespace)


def test_nothing_is_overwritten_and_no_bad_name_is_taken(
    course: Path, run: Callable[..., object], tmp_path: Path
) -> None:
    (course / "grader_tests" / "mine").mkdir(parents=True)
    assert "grader_tests/mine is there already" in str(run("mine"))
    assert not (course / "source" / "mine").exists()
    for name in ("../x", "a b", "élève", "a+b", ".x", "", "x/y", "-x", "x\n"):
        with pytest.raises(ValueError, match="cannot be the name"):
            new.make_assignment(course, name)
    with pytest.raises(ValueError, match="run this in the course's folder"):
        new.make_assignment(tmp_path, "exercise2")
    assert list(tmp_path.iterdir()) == []
