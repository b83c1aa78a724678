"""formgrader shows the expected answer and the mark scheme below an answer that a person grades."""

import textwrap
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from traitlets.config import Config

from course_lib.cli.new import make_assignment
from course_lib.nbgrader_plugins.rubric import ShowRubric
from tests.support.courses import find
from tests.support.tiny_course import task

GRADING_PAGE = {"submission_id": "1", "assignment_id": "ex", "notebook_id": "ex"}
"""What formgrader says about the page that it makes."""

MARK_SCHEME = """

    ### BEGIN MARK SCHEME
    # 1 for the squares
    ### END MARK SCHEME"""

TASK = textwrap.dedent("""
    Draw.

    === BEGIN MARK SCHEME ===
    2 for the curve
    === END MARK SCHEME ===""").strip()

SHOWN_FOR_CODE = textwrap.dedent("""
    > ```python
    > def mse(y_pred, y):
    >     return ((y_pred - y) ** 2).mean()
    > ```
    >\x20
    > 1 for the squares""").strip()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The source folder of a new assignment, in a course folder that is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nbgrader_config.py").touch()
    make_assignment(tmp_path, "ex")
    return tmp_path / "source" / "ex"


@pytest.fixture
def notebook(folder: Path) -> NotebookNode:
    """The source notebook, in which a person also grades code and a task. Each has a mark scheme."""
    notebook = nbformat.read(folder / "ex.ipynb", as_version=4)
    code = find(notebook, "mse")
    code.metadata.nbgrader.update(grade=True, points=2)
    code.source += MARK_SCHEME
    notebook.cells.append(task(TASK))
    nbformat.write(notebook, folder / "ex.ipynb")
    return notebook


def shown(notebook: NotebookNode, **resources: str) -> NotebookNode:
    """The page in English that formgrader makes of a notebook."""
    config = Config({"JudgedAutograde": {"language": "en"}})
    return ShowRubric(config=config).preprocess(deepcopy(notebook), GRADING_PAGE | resources)[0]


def test_code_stays_code_and_a_task_has_its_scheme(notebook: NotebookNode) -> None:
    page = shown(notebook)
    texts = [cell.source for cell in page.cells]
    assert len(texts) == len(notebook.cells) + 3, "only below what a person grades"
    below_code = texts[page.cells.index(find(page, "mse")) + 1]
    assert SHOWN_FOR_CODE in below_code
    assert "Expected answer and mark scheme" in below_code
    assert texts[-1].endswith("> 2 for the curve")
    assert "Draw." not in texts[-1]


def test_cells_without_an_expected_answer_stay_alone(folder: Path) -> None:
    """A hidden test grades the code, and the task has no scheme: only the free text has an expected answer."""
    plain = nbformat.read(folder / "ex.ipynb", as_version=4)
    plain.cells.append(task("Draw."))
    nbformat.write(plain, folder / "plain.ipynb")
    assert len(shown(plain, notebook_id="plain").cells) == len(plain.cells) + 1


def test_feedback_pages_stay_as_they_are(notebook: NotebookNode) -> None:
    of_feedback = {name: value for name, value in GRADING_PAGE.items() if name != "submission_id"}
    assert ShowRubric().preprocess(deepcopy(notebook), of_feedback)[0] == notebook


def test_a_page_without_a_readable_source_is_shown(folder: Path, notebook: NotebookNode) -> None:
    (folder / "broken.ipynb").write_text("{")
    for name in ("renamed", "broken"):
        assert shown(notebook, notebook_id=name) == notebook
