"""Reads and writes the objects in nbgrader's database, which ``gradebook.py`` opens."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from nbgrader.api import Assignment, BaseCell, Grade, Notebook, SubmittedAssignment, SubmittedNotebook

from ..assignment.spec import NotebookSpec
from ..judge.task import GradedNotebook
from ..messages import say

Marks = dict[str, float | None]
"""Points by grade cell; None if a person grades the cell."""


def graded_cells(notebook: Notebook) -> list[BaseCell]:
    """The cells of a notebook that carry points: grade cells and tasks."""
    return [*notebook.grade_cells, *notebook.task_cells]


def due(submission: SubmittedAssignment) -> datetime | None:
    """When a submission is due, in UTC; None if it has no due date.

    Replaces nbgrader's ``duedate``, which fails on an extension if the assignment has no due date.
    """
    date: datetime | None = submission.assignment.duedate
    return date if date is None or submission.extension is None else date + submission.extension


def automatic_marks(submission: SubmittedAssignment) -> dict[str, Marks]:
    """The automatic marks of a submission, by notebook."""
    return {
        notebook.name: {grade.name: grade.auto_score for grade in notebook.grades} for notebook in submission.notebooks
    }


def query_submissions(gradebook: Any, assignment: str, *columns: Any) -> Any:
    """Query ``columns`` of all submitted notebooks of an assignment."""
    return (
        gradebook.db.query(*columns)
        .select_from(SubmittedNotebook)
        .join(Notebook, SubmittedNotebook.notebook_id == Notebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .filter(Assignment.name == assignment)
    )


def query_marks(gradebook: Any, spec: NotebookSpec) -> list[tuple[str, str, float | None]]:
    """All automatic marks of a notebook, as student, grade cell and points."""
    columns = SubmittedAssignment.student_id, BaseCell.name, Grade.auto_score
    query = (
        query_submissions(gradebook, spec.assignment, *columns)
        .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
        .join(BaseCell, Grade.cell_id == BaseCell.id)
        .filter(Notebook.name == spec.name)
    )
    return list(query.all())


def record_notebook(submitted: SubmittedNotebook, graded: GradedNotebook, same: Collection[str]) -> None:
    """Set the automatic marks and comments of a submitted notebook.

    Args:
        submitted: the notebook in the database.
        graded: its result.
        same: the grade cells whose points and answers have not changed since the last grading.
    """
    for grade in submitted.grades:
        score = graded.result.marks.get(grade.name, 0.0 if grade.name in graded.unchanged else None)
        if grade.manual_score is None:
            grade.needs_manual_grade = score is None
        else:  # a person must review it again if anything has changed
            unchanged = grade.name in same and score == grade.auto_score
            grade.needs_manual_grade = grade.needs_manual_grade or not unchanged
        grade.auto_score = score
    for comment in submitted.comments:
        if graded.result.unreadable:
            comment.auto_comment = say("hint.unreadable", detail=graded.result.unreadable)
        elif comment.name in graded.unchanged:
            comment.auto_comment = say("feedback.no_response")
        else:
            comment.auto_comment = None
