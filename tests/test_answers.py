"""The corpus of answers: right ones in any spelling earn full marks, wrong ones exactly what is written in them."""

import re
from collections import Counter
from pathlib import Path

import pytest
from corpus import (
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
from courses import ONE_THREAD, configure, grade

from course_lib.assignment.spec import NotebookSpec
from course_lib.authoring.result import Verdict
from course_lib.cli.demo_class import CODE


def test_every_cell_has_enough_answers() -> None:
    counts = Counter((answer.cell, answer.is_right) for answer in ANSWERS)
    assert {cell for cell, _ in counts} == set(CODE)
    for cell in CODE:
        assert counts[cell, True] >= 12
        assert counts[cell, False] >= 15


def test_no_answer_is_there_twice() -> None:
    assert not [code for code, n in Counter(answer.code for answer in ANSWERS).items() if n > 1]


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_an_answer_gets_its_marks(answer: Answer) -> None:
    if not answer.is_possible_here:
        pytest.skip("there is a graphics card here; graders' kernels have none")
    tests = judged(answer, "fr")
    assert {name for name, test in tests.items() if not test.score} == answer.fails - {ACCURATE}, {
        name: (test.verdict, test.detail, test.note) for name, test in tests.items()
    }


@pytest.mark.parametrize("cell", CODE)
def test_the_messages_are_those_that_were_reviewed(cell: str) -> None:
    """To accept a change: python tests/corpus.py."""
    reviewed = re.split(r"^(?=== )", MESSAGES.read_text(), flags=re.MULTILINE)
    section = next(part for part in reviewed if part.startswith(f"== {cell}\n"))
    assert messages(cell).strip() == section.strip()


def test_a_message_names_a_cause_and_no_large_number_that_the_notebook_does_not(spec: NotebookSpec) -> None:
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
    """Real kernels; the notebook without what needs a training."""
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
    """The models, too, that are too bad to become accurate: they are trained to the end."""
    folder = tmp_path / "course"
    students = combined(trained=True)
    hand_in(folder, students)
    graded = grade(folder)
    assert_expected(graded, students, spec)
