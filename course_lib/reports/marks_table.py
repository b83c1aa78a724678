"""The marks of a class as a text table: students, points per grade cell, verdicts."""

from ..messages import say
from ..records.class_record import ClassRecord, column_title
from ..results.result_html import counted, format_points


def marks_table(record: ClassRecord) -> str:
    """One line for each student: points by automatically graded cell, their sum, and the number of each verdict."""
    by_hand = {mark.grade_id for submission in record.submissions for mark in submission.marks if mark.by_hand}
    cells = [name for name, _ in record.cells if name not in by_hand]
    rows = [[say("table.student"), *(column_title(name) for name in cells), say("table.sum"), say("table.verdicts")]]
    for submission in record.submissions:
        points = [submission.by_cell[name].points for name in cells]
        verdicts = [counted(count, verdict) for verdict, count in submission.verdicts.items()]
        summary = ", ".join(verdicts) or (say("table.all_passed") if submission.results else "-")
        rows.append([submission.student, *map(format_points, points), format_points(sum(points)), summary])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *middle, last in rows:
        numbers = [text.rjust(width) for text, width in zip(middle, widths[1:-1], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *numbers, last]).rstrip())
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
