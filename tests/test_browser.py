"""Students and instructors work in JupyterLab, with a browser and a keyboard."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from selenium.webdriver.common.keys import Keys

from course_lib.assignment.release import student_library
from tests.support.browser import TOKEN, Browser, Notebook, contrast, find_chromium, jupyterlab
from tests.support.courses import Course, nbgrader, short_course

THEMES = ["JupyterLab Light", "JupyterLab Dark"]
SHORT = ("init", "one_hot", "test_one_hot")
"""Cells of a notebook that the Validate button runs in seconds."""


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[str]:
    """JupyterLab in the folder that students get; its notebook trains for four epochs instead of 32."""
    find_chromium()
    folder = tmp_path_factory.mktemp("students") / "mnist1"
    for name, content in student_library().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    notebook = nbformat.read(root / "release" / "mnist1" / "mnist1.ipynb", as_version=4)
    training = next(cell for cell in notebook.cells if cell.id == "train_model")
    assert "epochs      = 32" in training.source
    training.source = training.source.replace("32", "4")
    nbformat.write(notebook, folder / "mnist1.ipynb")
    notebook.cells = [cell for cell in notebook.cells if cell.id in SHORT]
    nbformat.write(notebook, folder / "short.ipynb")
    # other tests run at the same time: two threads would wait for each other
    with jupyterlab(folder, folder.with_name("jupyter"), PYTHONPATH="", OMP_NUM_THREADS="1") as address:
        yield address


@pytest.fixture(scope="module")
def notebook(browser: Browser, handed_out: str) -> Notebook:
    """The released notebook, open."""
    return Notebook(browser, handed_out, "mnist1.ipynb")


# -- students -----------------------------------------------------------------------------------------------------------


def test_an_untouched_notebook_says_what_is_to_do(notebook: Notebook, browser: Browser) -> None:
    notebook.script("app.commands.execute('notebook:run-all-cells')")
    code = "panel.content.widgets.filter(c => c.model.type === 'code')"
    browser.until(
        lambda: notebook.script(f"return {code}.every(c => c.model.executionCount)")
    )  # an error stops no later cell
    notebook.idle()
    outputs = notebook.script(f"return {code}.map(c => [c.model.id, c.outputArea.model.toJSON()])")
    assert not [name for name, found in outputs for output in found if output["output_type"] == "error"]
    tests = {name for name, _ in outputs if name.startswith("test_")}
    for name in tests | {"dimensions", "train_dnn", "train_cnn", "train_cnn2"}:
        shown = [output["data"]["text/plain"] for output in dict(outputs)[name] if "data" in output]
        [card] = [text for text in shown if text.startswith("… À faire")]
        assert "Prochaine étape" in card, name
        assert len(card) < 250, name
    notebook.select("test_one_hot")
    browser.picture("untouched")
    notebook.select("train_model")
    assert "accuracy=" in notebook.output("train_model")
    assert "100%" in notebook.output("train_model")
    browser.picture("training")
    notebook.select("plot_history")
    browser.picture("plots")


def test_a_typed_answer_changes_its_check_card(notebook: Notebook, browser: Browser) -> None:
    notebook.run("init")
    notebook.run("one_hot")
    notebook.run("test_one_hot")
    assert "… À faire" in notebook.output("test_one_hot")
    notebook.write("one_hot", "def one_hot(labels):", "return F.one_hot(labels, 10)")
    browser.press(Keys.ENTER, holding=Keys.SHIFT)  # runs the answer and goes on to its check
    browser.press(Keys.ENTER, holding=Keys.SHIFT)
    notebook.idle()
    card = notebook.output("test_one_hot")
    called = "Appelé : one_hot(int64 (5,) [2, 0, 7, 0, 9])"
    for part in ("✗ Pas encore", called, "Obtenu : int64 (5, 10)", "✗ on attend le dtype torch.float32"):
        assert part in card
    notebook.write("one_hot", "def one_hot(labels):", "return F.one_hot(labels, 10).float()")
    notebook.run("one_hot")
    notebook.run("test_one_hot")
    assert "✓ Semble juste jusqu'ici" in notebook.output("test_one_hot")
    assert "Pas encore" not in notebook.output("test_one_hot")


def test_a_hint_unfolds_by_keyboard(notebook: Notebook, browser: Browser) -> None:
    notebook.select("one_hot")
    hint = next(e for e in browser.all("details") if "Hint" in e.text and "torch.zeros" in e.get_attribute("innerHTML"))
    text = hint.find_element("css selector", "p, code")
    assert not text.is_displayed()
    browser.driver.execute_script("arguments[0].querySelector('summary').focus()", hint)
    browser.press(Keys.ENTER)
    browser.until(text.is_displayed)
    browser.picture("hint")


def test_a_locked_cell_can_be_neither_changed_nor_deleted(notebook: Notebook, browser: Browser) -> None:
    given = notebook.source("test_one_hot")
    notebook.write("test_one_hot", "print('changed')")
    notebook.select("test_one_hot")
    browser.press("d", "d")
    assert notebook.source("test_one_hot") == given
    notebook.write("softmax", "print('changed')")
    assert "print('changed')" in notebook.source("softmax"), "the cells to complete are not locked"


@pytest.mark.parametrize("theme", THEMES)
def test_a_check_card_is_readable_in_every_theme(notebook: Notebook, browser: Browser, theme: str) -> None:
    """The contrast is computed from luminance, so it also holds without colours. 4.5 is WCAG's level AA."""
    notebook.run("init")
    notebook.write("one_hot", "def one_hot(labels):", "return F.one_hot(labels, 10)")
    notebook.run("one_hot")
    notebook.run("test_one_hot")
    notebook.theme(theme)
    notebook.select("test_one_hot")
    card = browser.one("[role=status]", "Pas encore")
    browser.picture(f"card-{theme.split()[-1].lower()}")
    lines = card.find_elements("css selector", "div, code")
    assert len(lines) > 3
    for line in lines:
        assert contrast(line) >= 4.5, line.text
    assert contrast(card.find_element("css selector", "span")) >= 3, "the symbol"


def test_one_line_switches_to_english(notebook: Notebook, browser: Browser) -> None:
    notebook.run("init")
    notebook.write("dimensions", 'ooo.set_language("en")')
    notebook.run("dimensions")
    notebook.run("test_argmax")
    assert "… To do" in notebook.output("test_argmax")


def test_the_validate_button_shows_whether_checks_pass(handed_out: str, browser: Browser) -> None:
    short = Notebook(browser, handed_out, "short.ipynb")
    for answer, message in (
        ("return F.one_hot(labels, 10)", "✗ Pas encore (one_hot)"),
        ("return torch.eye(10)[labels]", "Success"),
    ):
        short.write("one_hot", "def one_hot(labels):", answer)
        browser.one(".jp-NotebookPanel-toolbar jp-button", "Validate").click()
        dialog = browser.one(".jp-Dialog", message)
        browser.picture(f"validate-{'success' if 'Success' in message else 'failure'}")
        assert "Traceback" not in dialog.text
        browser.press(Keys.ENTER)
        browser.until(lambda: not browser.all(".jp-Dialog"))


# -- instructors --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A short course, graded."""
    find_chromium()
    folder = tmp_path_factory.mktemp("instructor") / "course"
    short_course(folder)
    for command in ("generate_assignment", "autograde"):
        run = nbgrader(folder, command, "mnist1")
        assert run.returncode == 0, run.stderr
    return Course(folder, run)


@pytest.fixture(scope="module")
def office(course: Course) -> Iterator[str]:
    """JupyterLab in the course's folder."""
    with jupyterlab(course.folder, course.folder.with_name("jupyter")) as address:
        yield address


def open_submission(browser: Browser, office: str) -> None:
    """Open the page on which a person grades the student in formgrader."""
    browser.driver.get(f"{office}/formgrader/gradebook/mnist1/mnist1?token={TOKEN}")
    browser.one("td a", "Submission #1").click()
    marked = browser.one("input#test_softmax")
    browser.until(lambda: marked.get_attribute("placeholder") == "1.5")  # the marks are loaded after the page


def points(course: Course, cell: str) -> float | None:
    """Return the points in the gradebook that a person gave for a cell."""
    with course.gradebook() as gradebook:
        score: float | None = gradebook.find_grade(cell, "mnist1", "mnist1", "anna").manual_score
        return score


def comment(course: Course, cell: str) -> str | None:
    """Return the comment in the gradebook that a person wrote on a cell."""
    with course.gradebook() as gradebook:
        text: str | None = gradebook.find_comment(cell, "mnist1", "mnist1", "anna").manual_comment
        return text


def test_formgrader_shows_the_assignment_and_the_marks(browser: Browser, office: str) -> None:
    browser.driver.get(f"{office}/lab?token={TOKEN}&reset")
    browser.one(".lm-MenuBar-itemLabel", "Nbgrader").click()
    browser.one(".lm-Menu-itemLabel", "Formgrader").click()
    browser.driver.switch_to.frame(browser.one("iframe"))
    assert "1" in browser.one("tbody tr", "mnist1").text
    browser.driver.switch_to.default_content()
    browser.driver.get(f"{office}/formgrader/gradebook/mnist1/mnist1")
    row = browser.one("tbody tr", "Submission #1").text
    for mark in ("3.25 / 6", "3.25 / 4", "0 / 2"):
        assert mark in row


def test_formgrader_shows_why_points_were_lost(browser: Browser, office: str) -> None:
    open_submission(browser, office)
    table = browser.one("table", "De grands logits donnent aussi des probabilités exactes")
    for part in ("✗ échoué", "0 / 0.5", "✓ réussi", "0.5 / 0.5", "Cause probable : l'exponentielle d'un grand nombre"):
        assert part in table.text.replace("\N{NO-BREAK SPACE}", " ")
    browser.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", table)
    browser.picture("formgrader-marks")


def test_a_free_text_is_graded_beside_its_mark_scheme(browser: Browser, office: str, course: Course) -> None:
    open_submission(browser, office)
    score = browser.one("input#question_view")
    browser.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", score)
    scheme = browser.one("blockquote", "0.5 for 28 x 28 = 784 flattened")
    assert 0 < scheme.location["y"] - score.location["y"] < 400, "both are in sight"
    assert points(course, "question_view") is None
    score.click()
    browser.press("0.5", Keys.TAB, Keys.TAB, "Et le -1 ?", Keys.TAB)  # the first Tab reaches the extra credit
    browser.until(lambda: points(course, "question_view") == 0.5 and comment(course, "question_view") == "Et le -1 ?")
    browser.picture("formgrader-free-text")


def test_formgraders_feedback_shows_hints_and_no_secret(
    browser: Browser, office: str, course: Course, root: Path
) -> None:
    open_submission(browser, office)
    browser.one("input#question_classes").click()
    browser.press("1", Keys.TAB)
    browser.until(lambda: points(course, "question_classes") == 1)
    browser.driver.get(f"{office}/formgrader/manage_submissions/mnist1")
    browser.one("tbody tr", "anna").find_element("css selector", ".generate-feedback a").click()
    browser.one(".modal-dialog", "Successfully generated feedback")
    page = course.folder / "feedback" / "anna" / "mnist1" / "mnist1.html"
    browser.driver.get(page.as_uri())
    browser.picture("feedback-top")
    shown = browser.one("body").text.replace("\N{NO-BREAK SPACE}", " ")
    for part in ("Résultat : 1.5 / 2", "✗ échoué", "Cause probable :", "1 / 1", "À corriger d'abord"):
        assert part in shown
    table = browser.one("table", "De grands logits donnent")
    browser.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", table)
    browser.picture("feedback")
    source = course.feedback("anna")
    secrets = ("Barème", "MARK SCHEME", "HIDDEN TESTS", "hidden_tests", "BEGIN SOLUTION", "F.softmax(logits, dim=1)")
    for secret in secrets:
        assert secret not in source
    for test in (root / "grader_tests" / "mnist1").glob("*.py"):
        assert not [line for line in test.read_text().splitlines() if "assert" in line and line.strip() in source]
