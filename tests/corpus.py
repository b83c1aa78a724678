"""The corpus of answers to ``mnist1``: ``tests/answers/<solution cell>/<right or wrong>/<situation>.py``.

The first line of a file describes the answer. If the answer is wrong, the second line lists the hidden tests that it
must fail. The rest is the answer, as a student would write it into the cell. ``tests/answers/messages.txt`` has what
students with wrong answers read. After a change, write it again and look at the difference:

    python -m tests.corpus
"""

import contextlib
import functools
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch

from course_lib.assignment.answers import read_answer
from course_lib.assignment.spec import NotebookSpec
from course_lib.authoring.live import student_of
from course_lib.authoring.pytest_plugin import collect_hidden_tests, run_hidden_tests
from course_lib.cli.demo import make_course
from course_lib.cli.demo_class import CODE, DemoStudent
from course_lib.messages import set_language
from course_lib.results.result import TestResult, Verdict

ROOT = Path(__file__).parents[1]
FOLDER = Path(__file__).with_name("answers")

NO_CARD = re.compile(r"RuntimeError(?= ?; (le code impose|the code hard-codes))")
"""The error of a torch that was built for GPUs, if there is none. Other builds raise an AssertionError."""

GIVEN = """
import torch
import torch.nn as nn
import torch.nn.functional as F
import numpy as np
x_train, y_train = torch.zeros(1).expand(60000, 28, 28), torch.zeros(60000, dtype=torch.int64)
x_test, y_test = torch.zeros(1).expand(10000, 28, 28), torch.zeros(10000, dtype=torch.int64)
"""
"""The variables of the notebook before any answer. The images take no memory."""


@dataclass(frozen=True)
class Answer:
    """One answer to a solution cell."""

    cell: str
    is_right: bool
    name: str
    about: str
    fails: frozenset[str]
    """The hidden tests that it must fail, no more and no fewer. A wrong model without :data:`ACCURATE` in this set may be
    accurate after its training, or not."""
    code: str

    def __str__(self) -> str:
        return f"{self.cell}-{self.name}"

    @property
    def is_possible_here(self) -> bool:
        """Whether the answer does the same here as while grading, where kernels have no GPU."""
        return not (self.name == "graphics_card" and torch.cuda.is_available())

    def namespace(self) -> dict[str, object]:
        """The global variables of a notebook with this answer. A cell that stops keeps what it has defined."""
        namespace: dict[str, object] = {}
        exec(GIVEN, namespace)
        with contextlib.suppress(Exception), contextlib.redirect_stdout(None), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(self.code, namespace)
        return namespace


def _read(path: Path) -> Answer:
    found, kind = read_answer(path), path.parent.name
    assert kind in ("right", "wrong"), path
    assert found.about, path
    assert bool(found.fails) == (kind == "wrong"), path
    return Answer(found.cell, found.is_right, path.stem, found.about, found.fails, found.code)


ANSWERS = [_read(path) for path in sorted(FOLDER.glob("*/*/*.py"))]
"""All answers, sorted by cell."""

MODELS = ("dnn", "cnn", "cnn2")
"""The solution cells with a model."""

ACCURATE = "test_the_trained_model_is_accurate"
"""The hidden test of a trained model. It has a grade cell of its own."""

MESSAGES = FOLDER / "messages.txt"

UNTRAINED = ("init", "data", "normalize", *CODE, *(f"test_{name}" for name in CODE))
"""The cells of the notebook that need no training."""


@functools.cache
def judged(answer: Answer, language: str) -> dict[str, TestResult]:
    """The results of the hidden tests of an answer's grade cell, by name, run on the answer's global variables."""
    set_language(language)
    torch.manual_seed(0)
    namespace, grade_id = answer.namespace(), f"test_{answer.cell}"
    path = ROOT / "grader_tests" / "mnist1" / f"{grade_id}.py"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a student's warning costs no point
        tests = run_hidden_tests([path], lambda _: student_of(namespace))[grade_id].tests
    for test in tests:
        test.detail = test.hint  # in this language: the hint depends on the current one
    return {test.name: test for test in tests}


def messages(cell: str) -> str:
    """What students with a wrong answer to ``cell`` read, for each property that does not hold."""
    lines = [f"== {cell}"]
    for answer in ANSWERS:
        if answer.cell != cell or answer.is_right or not answer.is_possible_here:
            continue
        lines += ["", f"{answer.name}: {answer.about}"]
        said: dict[tuple[str, str], list[str]] = {}
        for name, test in judged(answer, "fr").items():
            if test.verdict is not Verdict.PASSED:
                fr, en = (
                    NO_CARD.sub("AssertionError", text) for text in (test.detail, judged(answer, "en")[name].detail)
                )
                said.setdefault((fr, en), []).append(name)
        for (fr, en), names in said.items():
            lines += [f"  {', '.join(names)}", f"    {fr}", f"    {en}"]
    return "\n".join(lines) + "\n"


def combined(every: int = 1, trained: bool = False) -> list[dict[str, Answer]]:
    """Students who answer every cell; together, they give every answer of the corpus.

    Args:
        every: keep only the first of so many students.
        trained: leave out wrong models that may be accurate after their training, or not.
    """
    cells: dict[str, list[Answer]] = {}
    for answer in ANSWERS:
        unknown = answer.cell in MODELS and not answer.is_right and ACCURATE not in answer.fails
        if not (trained and unknown):
            cells.setdefault(answer.cell, []).append(answer)
    students = max(map(len, cells.values()))
    return [{cell: answers[i % len(answers)] for cell, answers in cells.items()} for i in range(0, students, every)]


def _answers(answers: dict[str, str], right: dict[str, str]) -> dict[str, str]:
    """``answers``, without a look at the ``right`` ones: a function for a :class:`DemoStudent`."""
    return answers


def hand_in(folder: Path, students: list[dict[str, Answer]]) -> None:
    """Make ``folder`` a course with a submission of each of ``students``."""
    situations = []
    for i, student in enumerate(students):
        answers = {cell: answer.code for cell, answer in student.items()}
        situations.append(DemoStudent(f"student{i}", functools.partial(_answers, answers)))
    make_course(folder, situations)


def expected(student: dict[str, Answer], spec: NotebookSpec) -> dict[str, float]:
    """The right marks by grade cell. Each cell counts by itself, even if the others are wrong."""
    tests = collect_hidden_tests(list(spec.tests.values()))
    result = {}
    for grade_id, cell in tests.items():
        answer = student[grade_id.removeprefix("test_").removesuffix("_accuracy")]
        result[grade_id] = sum(test.points for test in cell.tests if test.name not in answer.fails)
    return result


def assert_expected(graded: dict[str, dict[str, float]], students: list[dict[str, Answer]], spec: NotebookSpec) -> None:
    """Each student must have the marks that the answers earn."""
    for i, student in enumerate(students):
        wanted = expected(student, spec)
        assert {name: graded[f"student{i}"][name] for name in wanted} == wanted, [str(a) for a in student.values()]


def without_trainings(folder: Path) -> None:
    """Remove the cells that need a training from all notebooks."""
    for path in [folder / "source" / "mnist1" / "mnist1.ipynb", *folder.glob("submitted/*/mnist1/mnist1.ipynb")]:
        notebook = json.loads(path.read_text())
        notebook["cells"] = [
            cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") in UNTRAINED
        ]
        path.write_text(json.dumps(notebook))


if __name__ == "__main__":
    torch.set_num_threads(1)  # more threads are slower: the tensors are small
    MESSAGES.write_text("\n".join(messages(cell) for cell in sorted({answer.cell for answer in ANSWERS})))
