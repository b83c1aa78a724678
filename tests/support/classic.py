"""An ordinary nbgrader assignment, with the tests in its cells, graded in this process."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from course_lib.assignment.loader import load_notebook_spec
from course_lib.judge.limits import Limits
from course_lib.judge.pipeline import grade
from course_lib.judge.task import GradedNotebook, GradingTask, Protection
from course_lib.results.result import CellResult, NotebookResult
from tests.support.code import code
from tests.support.tiny_course import cell, written


def hidden(source: str) -> str:
    """The lines of ``source`` as a region of hidden tests."""
    return f"### BEGIN HIDDEN TESTS\n{code(source)}\n### END HIDDEN TESTS"


class ClassicExercise:
    """An assignment with one solution cell, ``answer``, and any grade cells below it.

    Args:
        folder: an empty folder.
        answer: the right answer.
        tests: the code of each grade cell by its id; each has 2 points.
        after: a given cell below them.
    """

    def __init__(self, folder: Path, answer: str, tests: Mapping[str, str], after: str = "") -> None:
        source = folder / "source" / "exercise"
        source.mkdir(parents=True)
        cells = [cell("answer", f"### BEGIN SOLUTION\n{code(answer)}\n### END SOLUTION", solution=True)]
        cells += [cell(name, code(text), grade=True, locked=True, points=2) for name, text in tests.items()]
        cells += [cell("after", code(after), locked=True)] if after else []
        nbformat.write(new_notebook(cells=cells), source / "exercise.ipynb")
        self.path = source / "exercise.ipynb"
        self.spec = load_notebook_spec(self.path, folder / "grader_tests")

    def submission(self, answer: str, extra: Sequence[str] = ()) -> NotebookNode:
        """What a student hands in: an answer, and cells of the student's own at the end."""
        notebook = nbformat.from_dict(self.spec.skeleton)
        notebook = nbformat.reads(nbformat.writes(notebook), as_version=4)
        notebook.cells[0].source = code(answer)
        notebook.cells += [new_code_cell(code(source)) for source in extra]
        return notebook

    def grade(self, library: Path, answer: str, *more: Any, **settings: Any) -> GradedNotebook:
        """Grade an answer; the arguments are those of :meth:`task`."""
        return grade(self.task(library, answer, *more, **settings))

    def task(
        self,
        library: Path,
        answer: str,
        extra: Sequence[str] = (),
        files: Mapping[str, bytes] | None = None,
        protection: Protection = "bubblewrap",
        **limits: float,
    ) -> GradingTask:
        """What there is to grade."""
        bounds = Limits(**{"threads": 1} | limits)  # type: ignore[arg-type]
        submitted = written(self.submission(answer, extra))
        return GradingTask(
            self.spec, submitted, library, library.parent, bounds, "en", protection, student_files=files or {}
        )

    def result(self, library: Path, answer: str, extra: Sequence[str] = (), **limits: float) -> NotebookResult:
        """The result of an answer."""
        return self.grade(library, answer, extra, **limits).result


def by_id(result: NotebookResult) -> dict[str, CellResult]:
    """The results by grade cell."""
    return {cell.grade_id: cell for cell in result.cells}
