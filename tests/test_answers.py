"""Right answers earn full marks however they are written, wrong answers exactly the marks that their files state."""

import re
from collections import Counter
from pathlib import Path

import pytest

from course_lib.assignment.spec import NotebookSpec
from course_lib.cli.demo_class import CODE
from course_lib.results.result import Verdict
from tests.corpus import (
    ACCURATE,
    ANSWERS,
    MESSAGES,
    Answer,
    assert_expected,
    combined,
    expected,
    hand_in,
    judged,
    messages,
    without_trainings,
)
from tests.support.courses import ONE_THREAD, configure, grade


def test_every_cell_has_enough_answers() -> None:
    counts = Counter((answer.cell, answer.is_right) for answer in ANSWERS)
    assert {cell for cell, _ in counts} == set(CODE)
    for cell in CODE:
        assert counts[cell, True] >= 12
        assert counts[cell, False] >= 15


def test_no_two_answers_are_the_same() -> None:
    assert not [code for code, n in Counter(answer.code for answer in ANSWERS).items() if n > 1]


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_an_answer_gets_its_marks(answer: Answer) -> None:
    if not answer.is_possible_here:
        pytest.skip("this machine has a GPU, and the kernels of graders have none")
    tests = judged(answer, "fr")
    assert {name for name, test in tests.items() if not test.score} == answer.fails - {ACCURATE}, {
        name: (test.verdict, test.detail, test.note) for name, test in tests.items()
    }


@pytest.mark.parametrize("cell", CODE)
def test_the_messages_are_the_reviewed_ones(cell: str) -> None:
    """Accept a change with `python -m tests.corpus`."""
    reviewed = re.split(r"^(?=== )", MESSAGES.read_text(), flags=re.MULTILINE)
    section = next(part for part in reviewed if part.startswith(f"== {cell}\n"))
    assert messages(cell).strip() == section.strip()


def test_a_message_has_a_cause_and_no_hidden_number(spec: NotebookSpec) -> None:
    notebook = " ".join(cell.source for cell in spec.skeleton.cells)
    for answer in ANSWERS:
        if answer.is_right or not answer.is_possible_here:
            continue
        for language in ("fr", "en"):
            for test in judged(answer, language).values():
                if test.verdict is Verdict.PASSED:
                    continue
                assert re.search("Cause probable :|Likely cause:|;", test.detail), (answer, test.detail)
                for number in re.findall(r"(?<![A-Za-z])\d+(?:\.\d+)?", test.detail):
                    assert float(number) <= 10 or number in notebook, (answer, test.detail)


def test_the_command_gives_the_same_marks(tmp_path: Path, spec: NotebookSpec) -> None:
    """With real kernels, in a notebook without trainings."""
    folder = tmp_path / "course"
    students = combined(every=24)
    hand_in(folder, students)
    configure(folder, ONE_THREAD)
    without_trainings(folder)
    graded = grade(folder)
    for i, student in enumerate(students):
        wanted = {name: points for name, points in expected(student, spec).items() if not name.endswith("_accuracy")}
        assert graded[f"student{i}"] == wanted, {cell: str(answer) for cell, answer in student.items()}


@pytest.mark.long
def test_the_command_gives_the_same_marks_to_trained_models(tmp_path: Path, spec: NotebookSpec) -> None:
    """Models that never become accurate are trained to the end."""
    folder = tmp_path / "course"
    students = combined(trained=True)
    hand_in(folder, students)
    graded = grade(folder)
    assert_expected(graded, students, spec)
