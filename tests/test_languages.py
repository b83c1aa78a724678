"""A bilingual source is released in one language, or in both."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from traitlets.config import Config

from course_lib.assignment.languages import ChooseLanguage, choose
from course_lib.assignment.release import release_notebook
from course_lib.assignment.spec import NotebookSpec
from course_lib.judge.read_notebook import read_notebook
from course_lib.judge.rebuild import rebuild

TEXT = "For all\n\n<!-- en -->\nTitle\n<!-- fr -->\nTitre\n<!-- end -->\n\nthe end"

QUESTIONS = (
    "Que représentent les différentes dimensions dans la taille de x_train",
    "Quel est alors l'interet de la ligne *x = x.view(-1,784)* ?",
    "Pourquoi la sortie du réseau est en dimension 10 ?",
    "Quel est l'intéret de *torch.argmax(y_pred, dim= 1)* ?",
    "Vérifiez si ils vous permettent d'améliorer la précision des résultats.",
)
"""The questions of the course, which every release has word for word."""


@pytest.mark.parametrize(
    ("language", "chosen"),
    [
        ("en", "For all\n\nTitle\n\nthe end"),
        ("fr", "For all\n\nTitre\n\nthe end"),
        ("both", "For all\n\nTitle\nTitre\n\nthe end"),
    ],
)
def test_a_text_is_chosen_by_its_markers(language: str, chosen: str) -> None:
    assert choose(TEXT, language) == chosen
    assert choose("no\n\n\n\nmarker", language) == "no\n\n\n\nmarker"


def test_a_missing_marker_is_named_with_its_cell() -> None:
    notebook = new_notebook(cells=[new_markdown_cell("<!-- fr -->\nx", id="intro")])
    with pytest.raises(RuntimeError, match=r"cell 1 '': <!-- fr --> has no <!-- end -->"):
        ChooseLanguage().preprocess(notebook, {})


def test_other_comments_of_a_text_stay() -> None:
    assert choose("<!-- toc -->\nx", "fr") == "<!-- toc -->\nx"


@pytest.mark.parametrize("language", ["fr", "en", "both"])
def test_each_release_has_the_questions_of_the_course(spec: NotebookSpec, language: str) -> None:
    release = release_notebook(spec.source, Config(ChooseLanguage={"language": language}))
    text = "\n\n".join(cell.source for cell in release.cells if cell.cell_type == "markdown")
    assert all(question in text for question in QUESTIONS)
    assert "<!--" not in text
    assert ("**TO DO" in text, "**À FAIRE" in text) == (language != "fr", language != "en")
    english = re.findall(r"\b(?:the|which|with|your)\b", text)
    assert bool(english) is (language != "fr"), "the French release is in French throughout"


def test_the_release_in_the_repository_is_english(spec: NotebookSpec, root: Path) -> None:
    assert "**TO DO (1 point)**" in (root / "release" / "mnist1" / "mnist1.ipynb").read_text()


def test_a_release_in_another_language_adds_nothing_to_grade(spec: NotebookSpec) -> None:
    """The release may be French and the setting English now: given texts stay given, and blank texts get 0."""
    french = release_notebook(spec.source, Config(ChooseLanguage={"language": "fr"}))
    found = rebuild(spec.skeleton, read_notebook(nbformat.writes(french).encode()), spec.source)
    assert len(found.notebook.cells) == len(spec.skeleton.cells)
    manual = {cell.grade_id for cell in spec.grade_cells if cell.manual}
    assert manual <= found.unchanged
