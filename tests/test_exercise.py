"""What accompanies a student through mnist1: checks, hints, progress, handing in."""

import contextlib
import hashlib
import io
import os
import warnings
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import course_lib as ooo
from course_lib import messages
from course_lib.mnist1_exercise import EXERCISE
from tests.corpus import ANSWERS, Answer

MAY_LOOK_RIGHT = 60
"""Wrong answers of the corpus whose check shows green only: a check gives no answer away, and cannot notice all."""

STRICTER = {"mirrored_numpy", "numpy_array", "numpy_results", "tensor_of_shape_one", "tensor_with_one_element"}
"""Right answers with another type than the statement asks for: the hidden tests accept them, the checks say so."""


@pytest.fixture(autouse=True)
def in_english() -> Any:
    before = messages.language()
    messages.set_language("en")
    yield
    messages.set_language(before)


def looks_right(answer: Answer) -> bool:
    """Whether the check cell of an answer passes."""
    namespace = answer.namespace() | {"ooo": ooo}
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(f"ooo.check_answer({answer.cell!r})", namespace)
        except ooo.CheckFailed:
            return False
    return True


def test_most_wrong_answers_do_not_look_right() -> None:
    possible = [answer for answer in ANSWERS if answer.is_possible_here]
    green = {str(answer) for answer in possible if looks_right(answer)}
    assert len(green & {str(answer) for answer in possible if not answer.is_right}) <= MAY_LOOK_RIGHT
    refused = {answer.name for answer in possible if answer.is_right and str(answer) not in green}
    assert refused <= STRICTER


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("class_probabilities = lambda z: z.log_softmax(1)", "log_softmax instead of softmax?"),
        ("class_probabilities = lambda z: torch.nn.Softmax(dim=1)", "call it with your data"),
        ("class_probabilities = lambda z: z.softmax(0)", "each column sums to 1, not each row"),
        ("class_probabilities = lambda z: z.exp() / z.exp().sum(1, keepdim=True)", "for large logits, too"),
        ("predict_labels = lambda y: y.max(1)", "take .values or .indices"),
        ("one_hot = lambda y: torch.ones(len(y), 10)", "a row has 10 ones"),
    ],
)
def test_a_usual_mistake_gets_its_cause(code: str, cause: str) -> None:
    namespace: dict[str, Any] = {"torch": torch, "ooo": ooo}
    exec(code, namespace)
    cell = {"class_probabilities": "softmax", "predict_labels": "argmax"}.get(code.split(" ")[0], "one_hot")
    with pytest.raises(ooo.CheckFailed) as failed:
        exec(f"ooo.check_answer({cell!r})", namespace)
    assert cause in str(failed.value)


def test_each_hint_goes_further(capsys: pytest.CaptureFixture[str]) -> None:
    for name, task in EXERCISE.tasks.items():
        for _ in range(len(task.hints) + 1):
            ooo.hint(name)
        lines = capsys.readouterr().out.splitlines()
        assert [str(hint) in line for hint, line in zip([*task.hints, task.hints[-1]], lines, strict=True)]
    ooo.hint("soft")
    assert "There is no hint for 'soft'" in capsys.readouterr().out


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a student, with a notebook under another name."""
    monkeypatch.chdir(tmp_path)
    meta = {"grade": True, "solution": True, "locked": False, "task": False, "points": 1, "schema_version": 3}
    texts = {"written": "Because.", "empty": messages.TEXT_STUB}
    cells = [new_markdown_cell(text, metadata={"nbgrader": meta | {"grade_id": name}}) for name, text in texts.items()]
    check = new_code_cell("", metadata={"nbgrader": meta | {"grade_id": "test_softmax", "solution": False}})
    nbformat.write(new_notebook(cells=[*cells, check]), tmp_path / "my work.ipynb")
    return tmp_path


def test_progress_says_what_is_open(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, Any] = {"torch": torch, "ooo": ooo, "accuracy_dnn": 0.9}
    exec("def one_hot(labels): return torch.eye(10)[labels]", namespace)
    exec("ooo.progress()", namespace)
    said = capsys.readouterr().out
    assert "1 of 10 look right; texts written: 1 of 2" in said
    assert "✓ One-hot" in said
    assert "✗ DNN, trained" in said
    assert "… empty" in said


def test_handing_in_writes_one_file_and_a_receipt(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec("ooo.hand_in()", {"ooo": ooo})
    said = capsys.readouterr().out
    written = folder / "hand_in" / "mnist1.ipynb"
    assert written.read_bytes() == (folder / "my work.ipynb").read_bytes()
    assert hashlib.sha256(written.read_bytes()).hexdigest() in said
    assert "my work.ipynb is handed in under the name of the assignment, mnist1.ipynb" in said
    assert "no answer yet" in said
    (folder / "second.ipynb").write_text("{}")
    exec("ooo.hand_in()", {"ooo": ooo})
    assert "The file of this notebook was not found" in capsys.readouterr().out


def test_an_old_file_or_that_of_another_course_is_not_handed_in(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "my work.ipynb"
    os.utime(path, (0, 0))
    exec("ooo.hand_in()", {"ooo": ooo})
    assert "Nothing is written: the notebook was last saved" in capsys.readouterr().out
    path.write_text(path.read_text().replace("test_softmax", "test_other"))
    exec("ooo.hand_in(); ooo.progress()", {"ooo": ooo})
    assert capsys.readouterr().out.count("this is another one") == 2
    assert not (folder / "hand_in").exists()


def test_nothing_is_handed_in_while_grading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    exec("ooo.hand_in(); ooo.progress()", {"ooo": ooo})
    assert not (folder / "hand_in").exists()
