"""Answer an appeal: grade one submission again, and show what each hidden test asked and what came back.

    course appeal mnist1 anna

Run in the course's folder, with its configuration. Nothing is recorded: the marks in the gradebook stay, and are shown
beside the new ones. What is printed holds the inputs of hidden tests: it is for the instructor, not for the student.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import BrokenExecutor
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import AutogradeApp

from ..authoring.errors import AssignmentError, GradingFault
from ..authoring.result import printable
from ..authoring.result_html import number, word
from ..judge.task import GradedNotebook
from ..messages import say
from ..nbgrader_plugins.autograde import JudgedAutograde
from ..records.gradebook import automatic_marks

__all__ = ["account", "main"]


def account(name: str, graded: GradedNotebook, recorded: Mapping[str, float | None]) -> Iterator[str]:
    """The lines that account for every point of a graded notebook.

    Args:
        name: of the notebook: an assignment may have several.
        graded: the notebook.
        recorded: marks in the gradebook, by grade cell.
    """
    result = graded.result
    protection = say("labelled", name=say("appeal.protection"), text=result.protection)
    yield f"{name}.ipynb  {number(result.score)} / {number(result.points)}  ({protection})"
    yield from (f"! {printable(note)}" for note in [result.unreadable, *result.repairs] if note)
    for cell in result.cells:
        yield ""
        line = f"{cell.grade_id}  {number(cell.score)} / {number(cell.points)}"
        if recorded.get(cell.grade_id) != cell.score:
            before = recorded.get(cell.grade_id)
            line += f"  ! {say('appeal.recorded', score='-' if before is None else number(before))}"
        yield line
        for test in cell.tests:
            yield f"  {word(test.verdict)}  {number(test.score)} / {number(test.points)}  {test.name}"
            yield from (f"      {printable(text)}" for text in (str(test.rationale), test.hint, test.note) if text)
            yield from (f"      ? {printable(question)}" for question in test.asked)


def _recorded(converter: JudgedAutograde, student: str) -> dict[str, float | None]:
    """The automatic marks in the gradebook, by grade cell."""
    with Gradebook(converter.coursedir.db_url, converter.coursedir.course_id) as gradebook:
        try:
            submission = gradebook.find_submission(converter.coursedir.assignment_id, student)
        except MissingEntry:
            return {}
        return automatic_marks(submission)


def main() -> None:
    """Grade one submission again and print the account of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("assignment")
    parser.add_argument("student")
    arguments = parser.parse_args()
    app = AutogradeApp()
    app.initialize(["--log-level=ERROR"])
    app.coursedir.assignment_id = arguments.assignment
    converter = JudgedAutograde(coursedir=app.coursedir, parent=app)
    folder = Path(app.coursedir.format_path(app.coursedir.submitted_directory, arguments.student, arguments.assignment))
    if not folder.is_dir():
        sys.exit(f"{folder}: there is no such folder. Give the assignment, then the student, as they are called there.")
    try:
        notebooks = converter.appeal(arguments.student)
    except (AssignmentError, BrokenExecutor, GradingFault) as error:
        sys.exit(str(error))
    recorded = _recorded(converter, arguments.student)
    print("\n\n".join("\n".join(account(name, graded, recorded)) for name, graded in notebooks.items()))
