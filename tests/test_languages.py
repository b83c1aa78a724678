"""A bilingual source is released in one language, or in both."""

import re
from pathlib import Path

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from traitlets.config import Config

from course_lib.assignment.languages import ChooseLanguage, choose
from course_lib.assignment.release import release_notebook
from course_lib.assignment.spec import NotebookSpec

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


@pytest.mark.parametrize(
    ("text", "problem"),
    [("<!-- de -->\nTitel\n<!-- end -->", "de --> is no language"), ("<!-- fr -->\nx", "no <!-- end")],
)
def test_a_wrong_marker_is_named_with_its_cell(text: str, problem: str) -> None:
    notebook = new_notebook(cells=[new_markdown_cell(text, id="intro")])
    with pytest.raises(RuntimeError, match=f"cell 1 '': .*{problem}"):
        ChooseLanguage().preprocess(notebook, {})


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
