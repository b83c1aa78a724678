"""Answer an appeal: grade one submission again, and show what each hidden test asked and what came back.

    course appeal mnist1 anna

Run this in the course folder. Nothing is recorded: the marks in the gradebook stay, and are shown next to the new ones.
The output contains the inputs of hidden tests. It is for the instructor, not for the student.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import BrokenExecutor
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import AutogradeApp
from sqlalchemy.exc import SQLAlchemyError

from ..judge.task import GradedNotebook
from ..messages import say
from ..nbgrader_plugins.autograde import JudgedAutograde
from ..records.gradebook_queries import Marks, automatic_marks
from ..results.errors import AssignmentError, GraderError
from ..results.result import printable
from ..results.result_html import format_points, verdict_text


def account(name: str, graded: GradedNotebook, recorded: Mapping[str, float | None]) -> Iterator[str]:
    """Account for every point of a graded notebook.

    Args:
        name: the name of the notebook. An assignment may have several.
        graded: the notebook.
        recorded: marks in the gradebook, by grade cell.

    Yields:
        The lines of the account.
    """
    result = graded.result
    protection = say("labelled", name=say("appeal.protection"), text=result.protection)
    yield f"{name}.ipynb  {format_points(result.score)} / {format_points(result.points)}  ({protection})"
    yield from (f"! {printable(note)}" for note in [result.unreadable, *result.repairs] if note)
    for cell in result.cells:
        yield ""
        line = f"{cell.grade_id}  {format_points(cell.score)} / {format_points(cell.points)}"
        if recorded.get(cell.grade_id) != cell.score:
            before = recorded.get(cell.grade_id)
            line += f"  ! {say('appeal.recorded', score='-' if before is None else format_points(before))}"
        yield line
        if cell.classic:
            yield f"  {say('classic.label')}"
        for test in cell.tests:
            points = f"{format_points(test.score)} / {format_points(test.points)}"
            yield f"  {verdict_text(test.verdict)}  {points}  {test.name}"
            yield from (f"      {printable(text)}" for text in (str(test.rationale), test.hint, test.note) if text)
            yield from (f"      ? {printable(question)}" for question in test.asked)


def _recorded(converter: JudgedAutograde, student: str) -> dict[str, Marks]:
    """The automatic marks in the gradebook, by notebook."""
    with Gradebook(converter.coursedir.db_url, converter.coursedir.course_id) as gradebook:
        try:
            submission = gradebook.find_submission(converter.coursedir.assignment_id, student)
        except MissingEntry:
            return {}
        return automatic_marks(submission)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``course appeal``."""
    parser.add_argument("assignment", help="such as mnist1")
    parser.add_argument("student", help="the name of the student's folder in submitted/")


def run(arguments: argparse.Namespace) -> None:
    """Grade one submission again and print the account of its points."""
    app = AutogradeApp()
    app.initialize(["--log-level=ERROR"])
    app.coursedir.assignment_id = arguments.assignment
    converter = JudgedAutograde(coursedir=app.coursedir, parent=app)
    folder = Path(app.coursedir.format_path(app.coursedir.submitted_directory, arguments.student, arguments.assignment))
    if not folder.is_dir():
        sys.exit(f"{folder} does not exist. Give the assignment, then the student, as these folders are named")
    try:
        notebooks = converter.appeal(arguments.student)
    except (AssignmentError, BrokenExecutor, GraderError, OSError, SQLAlchemyError) as error:
        sys.exit(str(error))
    recorded = _recorded(converter, arguments.student)
    print("\n\n".join("\n".join(account(name, graded, recorded.get(name, {}))) for name, graded in notebooks.items()))
