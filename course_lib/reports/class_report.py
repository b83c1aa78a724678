"""The class report: one self-contained HTML page about a class in one assignment, for the instructor.

The figures are inside the page, so it loads nothing. The template escapes everything that students wrote, such as names
and error messages.
"""

import os
import statistics
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..messages import language, say
from ..records.class_record import NEEDS_ATTENTION, ClassRecord, Submission, column_title
from ..results.result import NotebookResult, Verdict
from ..results.result_html import format_points, verdict_text
from .class_figures import accuracy_figure, mark_histogram, success_by_cell_figure, svg
from .report_texts import PHASES, TEXTS

MAX_FAILURES_SHOWN = 40
"""The number of different failures that the report lists."""


def report_html(record: ClassRecord, place: Path, feedback: Path | None = None) -> str:
    """The page, in the current language.

    Args:
        record: the class.
        place: the file that the page will be written to; links are relative to it.
        feedback: nbgrader's folder of feedback pages, to link to them; None for no links.
    """
    environment = Environment(loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined)
    environment.filters["number"] = lambda points: format_points(round(points, 2))
    environment.globals |= {"column_title": column_title, "say": say, "verdict_text": verdict_text}
    submissions = record.submissions
    scores = [submission.score for submission in submissions]
    reasons = [(submission.name, _reasons_to_look(submission)) for submission in submissions]
    accuracies = accuracy_figure(record)
    return environment.get_template("report.html.jinja").render(
        t={name: str(text) for name, text in TEXTS.items()},
        language=language(),
        record=record,
        now=datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M"),
        mean=statistics.fmean(scores) if scores else 0.0,
        median=statistics.median(scores) if scores else 0.0,
        to_grade=sum(submission.marks_to_grade for submission in submissions),
        look=[(name, found) for name, found in reasons if found],
        histogram=svg(mark_histogram(scores, record.out_of)),
        questions=svg(success_by_cell_figure(record)),
        tests=_tests(record),
        failures=common_failures(record),
        accuracies=None if accuracies is None else svg(accuracies),
        grading=_grading(record),
        pages={submission.student: _pages(submission, record, place, feedback) for submission in submissions},
    )


def _reasons_to_look(submission: Submission) -> list[str]:
    """Why a person should look at a submission."""
    reasons = [say("labelled", name=TEXTS["ungraded"], text=name) for name in submission.ungraded]
    for result in submission.results.values():
        if result.unreadable:
            reasons.append(say("labelled", name=say("verdict.unreadable"), text=result.unreadable))
        elif result.protection == "none":  # of an unreadable notebook, no code ran
            reasons.append(str(TEXTS["unprotected"]))
        reasons += [say("labelled", name=TEXTS["repaired"], text=repair) for repair in result.repairs]
    for verdict, count in submission.verdicts.items():
        if verdict in NEEDS_ATTENTION and verdict is not Verdict.UNREADABLE:
            reasons.append(f"{count} × {say(f'verdict.{verdict}')}")
    return reasons


def _tests(record: ClassRecord) -> list[dict[str, Any]]:
    """Each hidden test, in the order of the notebook, with the number of passes and of other verdicts."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for submission in record.submissions:
        for grade_id, test in submission.tests():
            empty = {"grade_id": grade_id, "rationale": test.rationale, "verdicts": Counter()}
            rows.setdefault((grade_id, test.name), empty)["verdicts"][test.verdict] += 1
    for row in rows.values():
        row["all"] = row["verdicts"].total()
        row["passed"] = row["verdicts"].pop(Verdict.PASSED, 0)
    return list(rows.values())


@dataclass
class Failure:
    """A failure in a grade cell that several students may share."""

    grade_id: str
    verdict: Verdict
    hint: str
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
            new = Failure(grade_id, test.verdict, test.hint)
            failure = failures.setdefault((grade_id, test.verdict, test.detail), new)
            failure.rationales[str(test.rationale)] = None
            failure.students[submission.student] = None
    return sorted(failures.values(), key=lambda failure: -len(failure.students))[:limit]


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
