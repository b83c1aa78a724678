"""Write the results of a submission to nbgrader's gradebook: all of them in one transaction, old marks reset first."""

from datetime import datetime

from nbgrader.api import Gradebook, SubmittedNotebook

from ..messages import say
from .job import Graded

__all__ = ["record"]


def record(
    gradebook: Gradebook, student: str, assignment: str, timestamp: datetime | None, graded: dict[str, Graded]
) -> None:
    """Record one submission.

    Marks that a person gave are kept and flagged for another look, as nbgrader does. A free text that was handed in as
    given gets 0, any other waits for a person.

    Args:
        gradebook: an open gradebook that knows the assignment and the student.
        student: the student's id.
        assignment: name of the assignment.
        timestamp: when it was submitted, in UTC; None when unknown.
        graded: results by name of notebook.
    """
    when = {} if timestamp is None else {"timestamp": timestamp}
    with gradebook.db.no_autoflush:  # nbgrader links the parts of a new submission before it adds it
        gradebook.update_or_create_submission(assignment, student, **when)
    for name, result in graded.items():
        _record_notebook(gradebook.find_submission_notebook(name, assignment, student), result)
    gradebook.db.commit()


def _record_notebook(submitted: SubmittedNotebook, graded: Graded) -> None:
    scores = {cell.grade_id: cell.score for cell in graded.result.cells}
    for grade in submitted.grades:
        grade.auto_score = scores.get(grade.name, 0.0 if grade.name in graded.unchanged else None)
        grade.needs_manual_grade = grade.auto_score is None or grade.manual_score is not None
    for comment in submitted.comments:
        if graded.result.unreadable:
            comment.auto_comment = say("hint.unreadable", detail=graded.result.unreadable)
        elif comment.name in graded.unchanged:
            comment.auto_comment = say("feedback.no_response")
        else:
            comment.auto_comment = None
