"""The columns of Moodle's grading worksheet, and their content for a submission."""

from html import escape

from ..messages import say
from ..records.class_record import Submission
from ..results.result import Verdict
from ..results.result_html import format_points, verdict_text

MOODLE_COLUMNS = (
    "Identifier", "Full name", "ID number", "Email address", "Grade", "Maximum grade", "Last modified (grade)",
    "Feedback comments",
)  # fmt: skip
"""The columns of Moodle's grading worksheet, as an English Moodle names them."""


def worksheet_row(submission: Submission, participant: str, share: float, out_of: float) -> dict[str, str]:
    """The line of one submission, by column.

    Args:
        submission: the submission.
        participant: Moodle's participant number; empty if it is not known.
        share: the share of all points that the submission has earned. Moodle accepts at most 1.
        out_of: the maximum grade in Moodle.
    """
    return {
        "Identifier": f"Participant {participant}" if participant else "",
        "Full name": submission.name,
        "ID number": submission.student,
        "Email address": submission.email,
        "Grade": f"{min(share, 1) * out_of:.2f}",
        "Maximum grade": f"{out_of:.2f}",
        "Last modified (grade)": "-",
        "Feedback comments": _feedback_html(submission),
    }


def _feedback_html(submission: Submission) -> str:
    """The feedback that a student reads in Moodle, as HTML."""
    lines = []
    for mark in submission.marks:
        points = f"{format_points(mark.points)} / {format_points(mark.out_of)}"
        points += f" ({say('export.needs_grading')})" if mark.needs_grading else ""
        lines.append(f"<b>{say('labelled', name=escape(mark.grade_id), text=points)}</b>")
        for test in submission.tests_of(mark.grade_id):
            if test.verdict is not Verdict.PASSED:
                reason = escape(f"{test.rationale} {test.hint}".strip())
                lines.append(say("labelled", name=verdict_text(test.verdict), text=reason))
        if mark.comment:
            lines.append(escape(mark.comment))
    return "<br>".join(lines)
