"""A one-cell exercise whose hidden tests a test writes itself, graded in this process."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from course_lib.assignment.loader import load_notebook_spec
from course_lib.assignment.spec import NotebookSpec
from course_lib.judge.limits import Limits
from course_lib.judge.pipeline import grade
from course_lib.judge.task import GradedNotebook, GradingTask, Protection
from course_lib.results.result import NotebookResult, TestResult
from tests.support.code import code
from tests.support.tiny_course import cell, written

HEAD = code("""
    import torch
    from course_lib.authoring import expect, hidden_test, wrong
""")
"""The first lines of each file of hidden tests."""


class Exercise:
    """An exercise with one solution cell, ``answer``, and one grade cell, ``test_answer``.

    Args:
        folder: an empty folder.
        answer: the right answer.
        tests: the hidden tests, without :data:`HEAD`.
        points: of the grade cell.
        after: a given cell below the grade cell.
    """

    def __init__(self, folder: Path, answer: str, tests: str, points: float = 1, after: str = "") -> None:
        self._after = after
        self.protection: Protection = "bubblewrap"
        source, hidden = folder / "source" / "exercise", folder / "grader_tests" / "exercise"
        source.mkdir(parents=True)
        hidden.mkdir(parents=True)
        self._points = points
        solution = f"### BEGIN SOLUTION\n{code(answer)}\n### END SOLUTION"
        nbformat.write(self.notebook(solution), source / "exercise.ipynb")
        self.tests = hidden / "test_answer.py"
        self.tests.write_text(f"{HEAD}\n\n{code(tests)}\n")
        self.spec: NotebookSpec = load_notebook_spec(source / "exercise.ipynb", hidden)

    def notebook(self, answer: str, *extra: str) -> NotebookNode:
        """The notebook with an answer, and cells of the student below the grade cell."""
        cells = [
            cell("answer", code(answer), solution=True),
            cell("test_answer", "answer", grade=True, locked=True, points=self._points),
            *(new_code_cell(code(source)) for source in extra),
        ]
        if self._after:
            cells.append(cell("after", code(self._after), locked=True))
        return new_notebook(cells=cells)

    def grade(self, library: Path, answer: str, *extra: str, **limits: float) -> GradedNotebook:
        """Grade an answer in the sandbox."""
        submitted = written(self.notebook(answer, *extra))
        bounds = Limits(**{"threads": 1} | limits)  # type: ignore[arg-type]
        return grade(GradingTask(self.spec, submitted, library, library.parent, bounds, "en", self.protection))

    def result(self, library: Path, answer: str, *extra: str, **limits: float) -> TestResult:
        """The result of the only hidden test."""
        return only(self.grade(library, answer, *extra, **limits).result)


def only(result: NotebookResult) -> TestResult:
    """The only test of a result."""
    [[test]] = [cell.tests for cell in result.cells]
    return test
