"""The class report: one self-contained HTML page about a class in one assignment, for the instructor.

The figures are inside the page, so it loads nothing. The template escapes everything that students wrote, such as names
and error messages.
"""

import os
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..messages import language, say
from ..records.class_record import NEEDS_ATTENTION, ClassRecord, Submission, column_title
from ..results.result import NotebookResult, Verdict
from ..results.result_html import counted, format_points, verdict_text
from .class_figures import accuracy_figure, mark_histogram, success_by_cell_figure, svg
from .class_statistics import graded_part, is_blank, is_unreadable, snippet, statistics_of_tests
from .report_texts import PHASES, TEXTS

MAX_FAILURES_SHOWN = 40
"""The number of different failures that the report lists."""

MISCONCEPTIONS = 3
"""The number of causes that the report proposes to teach again."""

SNIPPETS = 20
"""The number of answers that are read to find a short one."""


def report_html(record: ClassRecord, place: Path, feedback: Path | None = None) -> str:
    """The page, in the current language.

    Args:
        record: the class.
        place: the file that the page will be written to; links are relative to it.
        feedback: nbgrader's folder of feedback pages, to link to them; None for no links.
    """
    environment = Environment(loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined)
    environment.filters["number"] = lambda points: format_points(round(points, 2))
    environment.globals |= {"column_title": column_title, "counted": counted, "say": say, "verdict_text": verdict_text}
    submissions = record.submissions
    graded = graded_part(record)
    accuracies = accuracy_figure(record)
    failures = common_failures(record)
    return environment.get_template("report.html.jinja").render(
        t={name: str(text) for name, text in TEXTS.items()},
        language=language(),
        record=record,
        now=datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M"),
        graded=graded,
        mean=statistics.fmean(graded.scores) if graded.scores else 0.0,
        median=statistics.median(graded.scores) if graded.scores else 0.0,
        to_grade=sum(submission.marks_to_grade for submission in submissions),
        blank=sum(map(is_blank, submissions)),
        unreadable=sum(map(is_unreadable, submissions)),
        look=_to_review(submissions),
        repaired=[(submission.label, repairs) for submission in submissions if (repairs := _repairs(submission))],
        histogram=svg(mark_histogram(graded.scores, graded.out_of)),
        questions=svg(success_by_cell_figure(record)),
        tests=statistics_of_tests(record),
        failures=failures,
        misconceptions=misconceptions(record, failures),
        accuracies=None if accuracies is None else svg(accuracies),
        grading=_grading(record),
        labels={submission.student: submission.label for submission in submissions},
        pages={submission.student: _pages(submission, record, place, feedback) for submission in submissions},
    )


def _to_review(submissions: Sequence[Submission]) -> list[tuple[str, list[str]]]:
    """The submissions that need a person, the most urgent first, each with the reasons."""
    found = []
    for submission in submissions:
        reasons = sorted(_reasons_to_look(submission))
        if reasons:
            found.append((reasons[0][0], submission.label, [reason for _, reason in reasons]))
    return [(label, reasons) for _, label, reasons in sorted(found, key=lambda one: one[0])]


def _reasons_to_look(submission: Submission) -> Iterator[tuple[int, str]]:
    """Why a person should look at a submission, each reason with its rank: 0 is the most urgent."""
    for name in submission.ungraded:
        yield 0, say("labelled", name=TEXTS["ungraded"], text=name)
    for result in submission.results.values():
        if result.unreadable:
            why = say("labelled", name=say("verdict.unreadable"), text=result.unreadable)
            yield 1 + NEEDS_ATTENTION.index(Verdict.UNREADABLE), why
    if any(result.protection == "none" and not result.unreadable for result in submission.results.values()):
        yield 0, str(TEXTS["unprotected"])  # of an unreadable notebook, no code ran
    for verdict, count in submission.verdicts.items():
        if verdict in NEEDS_ATTENTION and verdict is not Verdict.UNREADABLE:
            yield 1 + NEEDS_ATTENTION.index(verdict), counted(count, verdict)


def _repairs(submission: Submission) -> list[str]:
    return [repair for result in submission.results.values() for repair in result.repairs]


@dataclass
class Failure:
    """A failure in a grade cell that several students may share."""

    grade_id: str
    verdict: Verdict
    hint: str
    cause: str = ""
    """The likely cause; empty if none is known."""
    rationales: dict[str, None] = field(default_factory=dict)
    """What the hidden tests that failed in this way check. A dictionary, because its keys keep their order."""
    students: dict[str, None] = field(default_factory=dict)
    """Ids of the students."""


def common_failures(record: ClassRecord, limit: int = MAX_FAILURES_SHOWN) -> list[Failure]:
    """The most frequent failures, without tests that a student did not attempt or that could not be read."""
    failures: dict[tuple[object, ...], Failure] = {}
    for submission in record.submissions:
        for grade_id, test in submission.tests():
            if test.verdict in (Verdict.PASSED, Verdict.NOT_ATTEMPTED, Verdict.UNREADABLE):
                continue
            new = Failure(grade_id, test.verdict, test.hint, test.detail)
            failure = failures.setdefault((grade_id, test.verdict, test.detail), new)
            failure.rationales[str(test.rationale)] = None
            failure.students[submission.student] = None
    return sorted(failures.values(), key=lambda failure: -len(failure.students))[:limit]


@dataclass
class Misconception:
    """A frequent failure with a known cause, and an answer that shows it."""

    grade_id: str
    cause: str
    students: int
    snippet: str
    """Code of a student who is not named; empty if there is none."""


def misconceptions(record: ClassRecord, failures: Sequence[Failure]) -> list[Misconception]:
    """What to teach again: the most frequent causes, each with the shortest answer that shows it."""
    by_id = {submission.student: submission for submission in record.submissions}
    known = [
        failure
        for failure in failures
        if failure.verdict is Verdict.FAILED and failure.cause and len(failure.students) > 1
    ]
    found = []
    for failure in known[:MISCONCEPTIONS]:
        looked_at = [by_id[student] for student in list(failure.students)[:SNIPPETS]]
        shown = [snippet(submission, failure.grade_id) for submission in looked_at]
        code = min(filter(None, shown), key=len, default="")
        found.append(Misconception(failure.grade_id, failure.cause, len(failure.students), code))
    return found


def _grading(record: ClassRecord) -> dict[str, Any]:
    """The time that grading took, and the sandboxes used."""
    results = [
        (submission.student, result) for submission in record.submissions for result in submission.results.values()
    ]
    seconds = [result.seconds for _, result in results]
    longest = max(results, key=lambda pair: pair[1].seconds, default=None)
    phases: Counter[str] = Counter()
    for _, result in results:
        phases.update(result.phases)  # adds the seconds of each phase
    return {
        "total": sum(seconds),
        "median": statistics.median(seconds) if seconds else 0.0,
        "longest": None if longest is None else (longest[0], longest[1].seconds),
        "phases": [(str(PHASES[phase]), spent) for phase, spent in phases.most_common()],
        "classic": sorted({name for submission in record.submissions for name in submission.classic}),
        "sandboxes": Counter(_sandbox(result) for _, result in results if not result.unreadable),
    }


def _sandbox(result: NotebookResult) -> str:
    """The sandbox of the student's code, and the training device if it was not the CPU."""
    name = str(TEXTS["none"]) if result.protection == "none" else result.protection
    return name if result.device == "cpu" else f"{name} + {result.device}"


def _pages(submission: Submission, record: ClassRecord, place: Path, feedback: Path | None) -> list[tuple[str, str]]:
    """The feedback pages of a student: name of the notebook, and relative link."""
    pages = sorted((feedback / submission.student / record.assignment).glob("*.html")) if feedback else []
    return [(page.stem, Path(os.path.relpath(page, place.resolve().parent)).as_posix()) for page in pages]
