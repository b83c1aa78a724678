"""`course new`: an assignment that works, to start from."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory

from course_lib.assignment.loader import expected_answers, load_assignment, load_notebook_spec
from course_lib.assignment.release import CheckSource
from course_lib.authoring.live import hidden_tests
from course_lib.cli.__main__ import main
from course_lib.cli.demo_class import DemoStudent, fill
from course_lib.cli.doctor_course import check_assignments
from course_lib.cli.init import make_course_folder
from course_lib.cli.new import make_assignment
from course_lib.cli.open_course import Course, open_course
from course_lib.nbgrader_plugins.exporters import Details, Moodle
from course_lib.records.class_record import read_class
from course_lib.results.errors import AssignmentError
from tests.support.courses import configure, find, marks, nbgrader
from tests.support.tiny_course import task

ROOT_MSE = """
def mse(y_pred, y):
    return ((y_pred - y) ** 2).mean().sqrt()
"""
IN_PLACE = """
def mse(y_pred, y):
    y_pred -= y
    return (y_pred**2).mean()
"""
TASK = """
Draw.

### BEGIN MARK SCHEME
1 for the title, 2 for the curve
### END MARK SCHEME
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new course."""
    folder = tmp_path_factory.mktemp("new")
    make_course_folder(folder)
    configure(folder, "c.JudgedAutograde.workers = 1")  # a second one takes longer to start than to grade
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


def test_a_new_assignment_can_be_graded_as_it_is(
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
        "right": fill(spec, DemoStudent("right")),
        "root": fill(spec, DemoStudent("root", lambda right: right | {"mse": ROOT_MSE})),
        "in_place": fill(spec, DemoStudent("in_place", lambda right: right | {"mse": IN_PLACE})),
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


def test_the_doctor_knows_a_new_assignment(course: Path, run: Callable[..., object]) -> None:
    assert run("exercise3") is None
    opened = open_course()
    assert isinstance(opened, Course)
    findings = {finding.what: finding.says for finding in check_assignments(opened)}
    assert findings["assignment exercise3"].startswith("2 grade cells, 3 points")


def test_hidden_tests_run_in_the_authors_notebook(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(course)
    make_assignment(course, "exercise4")
    notebook = nbformat.read(course / "source" / "exercise4" / "exercise4.ipynb", as_version=4)
    last = next(cell.source for cell in notebook.cells if cell.id == "test_mse").splitlines()[-2]
    assert last == 'hidden_tests("exercise4", "test_mse", globals())'
    namespace: dict[str, object] = {}
    exec(next(cell.source for cell in notebook.cells if cell.id == "mse"), namespace)
    hidden_tests("exercise4", "test_mse", namespace)
    exec(ROOT_MSE, namespace)
    with pytest.raises(AssertionError, match="la racine est de trop"):
        hidden_tests("exercise4", "test_mse", namespace)


def test_new_overwrites_nothing_and_refuses_bad_names(course: Path, run: Callable[..., object], tmp_path: Path) -> None:
    (course / "grader_tests" / "mine").mkdir(parents=True)
    assert "grader_tests/mine exists already" in str(run("mine"))
    assert not (course / "source" / "mine").exists()
    for name in ("../x", "a b", "élève", "a+b", ".x", "", "x/y", "-x", "x\n"):
        with pytest.raises(ValueError, match="cannot be the name"):
            make_assignment(course, name)
    with pytest.raises(ValueError, match="'course init FOLDER' makes a new one"):
        make_assignment(tmp_path, "exercise2")
    assert list(tmp_path.iterdir()) == []


def _space(notebook: NotebookNode) -> None:
    find(notebook, "test_mse").metadata.nbgrader.grade_id = "test mse"


def _no_points(notebook: NotebookNode) -> None:
    del find(notebook, "test_mse").metadata.nbgrader["points"]


def _no_end(notebook: NotebookNode) -> None:
    cell = find(notebook, "mse")
    cell.source = cell.source.replace("### END SOLUTION", "")


def _twice(notebook: NotebookNode) -> None:
    find(notebook, "init").metadata.nbgrader.grade_id = "mse"


def _no_answer(notebook: NotebookNode) -> None:
    find(notebook, "mse").metadata.nbgrader.solution = False


def _no_tests(notebook: NotebookNode) -> None:
    del find(notebook, "test_mse").metadata["nbgrader"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_no_answer, "cell 4 'mse': has ### BEGIN SOLUTION, but is not a 'Autograded answer' cell: choose this type"),
        (_no_tests, "cell 5 '': has ### BEGIN HIDDEN TESTS, but is not a 'Autograder tests' cell: choose this type"),
        (_space, "cell 5 'test mse': grade_id: 'test mse' does not match"),
        (_no_points, "cell 5 'test_mse': nbgrader cell 'test_mse' does not have points"),
        (_no_end, "cell 4 'mse': ### BEGIN SOLUTION and ### END SOLUTION do not match"),
        (_twice, "two cells have the id 'mse'"),
    ],
)
def test_a_careless_cell_is_named(tmp_path: Path, spoil: Callable[[NotebookNode], None], said: str) -> None:
    (tmp_path / "nbgrader_config.py").touch()
    make_assignment(tmp_path, "ex")
    path = tmp_path / "source" / "ex" / "ex.ipynb"
    notebook = nbformat.read(path, as_version=4)
    spoil(notebook)
    nbformat.write(notebook, path)
    with pytest.raises(AssignmentError) as found:
        load_notebook_spec(path, tmp_path / "grader_tests" / "ex")
    assert said in str(found.value)
    with pytest.raises(RuntimeError) as stopped:  # of `nbgrader generate_assignment`
        CheckSource().preprocess(notebook, {"metadata": {"name": "ex"}})
    assert "ex.ipynb:" in str(stopped.value)
    assert said in str(stopped.value)


def test_a_task_counts_in_what_can_be_earned(tmp_path: Path) -> None:
    """Nbgrader's "manually graded task": a cell with points that has no tests and no answer of its own."""
    make_course_folder(tmp_path)
    make_assignment(tmp_path, "curves")
    path = tmp_path / "source" / "curves" / "curves.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(task(TASK))
    nbformat.write(notebook, path)
    assert expected_answers(notebook)["draw"] == ("", "1 for the title, 2 for the curve")
    [spec] = load_assignment(path.parent, tmp_path / "grader_tests" / "curves")
    assert sum(cell.points for cell in spec.grade_cells) == 6
    assert nbgrader(tmp_path, "generate_assignment", "curves").returncode == 0
    handed_in = tmp_path / "submitted" / "anna" / "curves" / "curves.ipynb"
    handed_in.parent.mkdir(parents=True)
    nbformat.write(notebook, handed_in)
    done = nbgrader(tmp_path, "autograde", "curves")
    assert done.returncode == 0, done.stderr
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as gradebook:
        record = read_class(gradebook, CourseDirectory(root=str(tmp_path)), "curves")
    [line] = csv.DictReader(Moodle().content(record, tmp_path).splitlines())
    assert line["Grade"] == "6.67"  # 2 of 6 points
    details = list(csv.DictReader(Details().content(record, tmp_path).splitlines()))
    assert {line["kind"] for line in details if line["grade_id"] == "draw"} == {"by hand"}
