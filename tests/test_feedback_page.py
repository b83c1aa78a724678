"""The page that students read after the grading."""

import re
import time
from pathlib import Path

import pytest
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.api import Student

from course_lib.judge.sanitize import PAGE_FILTERS
from course_lib.nbgrader_plugins.feedback_page import tidy
from tests.support.accidents import unreadable
from tests.support.courses import configure, nbgrader, open_gradebook
from tests.support.tiny_course import WRONG_ANSWER, make_course, notebook, release, written

CODE = f"""{WRONG_ANSWER}
print('<script>alert(1)</script>')
import torch
torch.nn.functional.linear(torch.zeros(2), torch.zeros(3, 3))"""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The feedback of a student with a wrong answer, and of one whose file cannot be read."""
    folder = tmp_path_factory.mktemp("feedback") / "course"
    make_course(folder, {})
    release(folder)
    configure(folder, "c.JudgedAutograde.language = 'en'")
    for student, content in {"anna": written(notebook(add=CODE)), "bob": unreadable()["truncated"]}.items():
        path = folder / "submitted" / student / "tiny" / "tiny.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    with open_gradebook(folder) as gradebook:
        gradebook.db.add(Student(id="anna", first_name="Anna", last_name="<i>Li</i>"))
        gradebook.db.commit()
    for command in ("autograde", "generate_feedback"):
        run = nbgrader(folder, command, "tiny")
        assert run.returncode == 0, run.stderr
    return folder


def page(course: Path, student: str) -> str:
    return (course / "feedback" / student / "tiny" / "tiny.html").read_text()


def test_the_page_says_first_what_counts(course: Path) -> None:
    html = page(course, "anna")
    head = re.sub(r"<style>.*?</style>", "", html[: html.index("Your notebook in detail")], flags=re.DOTALL)
    said = " ".join(re.sub(r"<[^>]*>", " ", head).split())
    assert "tiny: Anna &lt;i&gt;Li&lt;/i&gt; (anna) 1 of 3 points What to fix first" in said
    assert "add (\N{MINUS SIGN}2): add adds 1." in said
    assert "✓ mean 1 / 1 correct" in said
    assert 'href="#test_add"' in html
    assert 'id="test_add"' in html


def test_each_lost_test_has_a_text_for_the_teacher(course: Path) -> None:
    texts = re.findall(r"<textarea[^>]*>(.*?)</textarea>", page(course, "anna"), re.DOTALL)
    assert len(texts) == 2
    assert "course appeal tiny anna" in texts[0]
    assert "Cell: test_add, test test_adds_one" in texts[0]


def test_the_students_own_check_is_folded(course: Path) -> None:
    html = page(course, "anna")
    assert re.search(r'<details class="own"><summary>Your own check, as it ran', html)
    assert "<script>alert" not in html
    assert "site-packages" not in html, "where the grader's packages are"


def test_an_unreadable_notebook_says_so(course: Path) -> None:
    html = page(course, "bob")
    assert "0 of 3 points" in html
    assert "unreadable" in html


def test_no_formula_is_drawn_over_the_marks(course: Path) -> None:
    html = page(course, "anna")
    assert html.index('class="tex2jax_ignore') < html.index("What to fix first")


def test_a_long_traceback_takes_little_time() -> None:
    error = new_output("error", ename="E", evalue="", traceback=["/a" * 500_000, "/x/site-packages/torch/nn.py"])
    cell = new_code_cell("1", outputs=[error])
    began = time.process_time()
    tidy(cell, has_result=False)
    assert time.process_time() - began < 1
    assert cell.outputs[0].traceback[1] == "torch/nn.py"


@pytest.mark.parametrize("unit", ["[](files/", "![](files/", "[a](files/b)", "<a href='files/", "files/"])
def test_links_of_a_text_take_little_time(unit: str) -> None:
    """8 kB took 11 s, and 20 kB blocked formgrader for minutes."""
    exporter = HTMLExporter(template_name="classic", filters=PAGE_FILTERS)
    text = new_notebook(cells=[new_markdown_cell(unit * (20_000 // len(unit)))])
    began = time.process_time()
    exporter.from_notebook_node(text)
    assert time.process_time() - began < 5
