"""The assignments of the cookbook are released, checked with their answers, and graded."""

import shutil
from pathlib import Path

import nbformat
import pytest

from course_lib.assignment.answers import read_answers
from course_lib.assignment.loader import load_notebook_spec
from course_lib.cli.init import copy_course_files
from tests.support.courses import configure, course, marks, nbgrader

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
NAMES = sorted(path.name for path in (EXAMPLES / "source").iterdir())


@pytest.fixture
def cookbook(tmp_path: Path) -> Path:
    """A course with all assignments of the cookbook."""
    folder = tmp_path / "course"
    folder.mkdir()
    copy_course_files(folder)
    configure(folder, 'c.JudgedAutograde.language = "en"')
    for name in ("source", "grader_tests", "answers"):
        shutil.copytree(EXAMPLES / name, folder / name)
    return folder


def test_the_cookbook_has_five_assignments() -> None:
    page = (EXAMPLES.parent / "cookbook.md").read_text()
    assert NAMES == ["attention", "autograd", "optimizer", "sampling", "tables"]
    assert [name for name in NAMES if f"\n`{name}`: " not in page] == []


@pytest.mark.parametrize("name", NAMES)
def test_no_given_cell_serves_the_tests_only(name: str) -> None:
    """Every name that a hidden test asks for is one that the student writes."""
    notebook = nbformat.read(EXAMPLES / "source" / name / f"{name}.ipynb", as_version=4)
    given = [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and not cell.metadata.nbgrader.solution and not cell.metadata.nbgrader.grade
    ]
    assert [source for source in given if "def " in source or "class " in source] == []


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_an_assignment_of_the_cookbook(name: str, cookbook: Path) -> None:
    """Right answers earn every point, wrong and forged ones fail what they should; nbgrader's commands agree."""
    checked = course(cookbook, "check", name)
    assert (checked.returncode, "✗" in checked.stdout) == (0, False), checked.stdout + checked.stderr
    spec = load_notebook_spec(cookbook / "source" / name / f"{name}.ipynb", cookbook / "grader_tests" / name)
    answers = read_answers(cookbook / "answers" / name, [spec])
    assert {answer.cell for answer in answers if answer.is_right} == {cell.solution for cell in spec.automatic}
    released = nbgrader(cookbook, "generate_assignment", name)
    assert released.returncode == 0, released.stderr
    for student, notebook in {
        "right": next(answer for answer in answers if answer.is_right).notebook(spec),
        "wrong": next(answer for answer in answers if not answer.is_right).notebook(spec),
        "blank": nbformat.read(cookbook / "release" / name / f"{name}.ipynb", as_version=4),
    }.items():
        target = cookbook / "submitted" / student / name
        target.mkdir(parents=True)
        nbformat.write(notebook, target / f"{name}.ipynb")
    graded = nbgrader(cookbook, "autograde", name)
    assert graded.returncode == 0, graded.stderr
    total = {student: sum(of_student.values()) for student, of_student in marks(cookbook, name).items()}
    assert total["right"] == sum(cell.points for cell in spec.grade_cells)
    assert 0 < total["wrong"] < total["right"]
    assert total["blank"] == 0
