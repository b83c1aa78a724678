"""Plug-ins of ``nbgrader export``: the class report, Moodle's grading worksheet, and all details as CSV or JSON.

    nbgrader export --exporter=course_lib.nbgrader_plugins.exporters.Report --to report.html

Each writes one file for an assignment. What the fields mean: ``docs/export.md``.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import ExportPlugin
from traitlets import Float, Unicode, default

from ..authoring.result import Verdict
from ..authoring.result_html import number, word
from ..messages import language, say, set_language
from ..records.class_record import ClassRecord, Submission, read_class
from ..reports.class_report import report_html
from .moodle import participant

__all__ = ["Details", "DetailsJson", "Moodle", "Report"]


class _Export(ExportPlugin):
    """Writes one file about each assignment that was asked for, or about all."""

    file_name = ""
    """Of the file when no ``--to`` is given."""

    language = Unicode(help="Language of the texts, by default that of the configured grading.").tag(config=True)

    @default("language")  # type: ignore[untyped-decorator]
    def _language(self) -> str:
        return str(self.config.JudgedAutograde.get("language", language()))

    def export(self, gradebook: Gradebook) -> None:
        """Write the files."""
        known = [one.name for one in gradebook.assignments]
        wanted = [str(name) for name in self.assignment] or known
        if not known:
            self.parent.fail("The gradebook has no assignment yet: run 'nbgrader generate_assignment NAME' first.")
        if self.to and len(wanted) > 1:
            self.parent.fail(f"--to names one file; choose one of {', '.join(wanted)} with --assignment=NAME.")
        try:
            set_language(self.language)
        except ValueError as error:
            self.parent.fail(str(error))
        for name in wanted:
            try:
                record = read_class(gradebook, self.parent.coursedir, name)
            except MissingEntry:
                self.parent.fail(f"The gradebook does not know the assignment '{name}'; it has: {', '.join(known)}.")
            chosen = {str(student) for student in self.student}
            if unknown := chosen.difference(record.missing, (one.student for one in record.submissions)):
                self.parent.fail(f"The gradebook does not know the student {', '.join(sorted(unknown))}.")
            if chosen:
                record = replace(
                    record,
                    submissions=[one for one in record.submissions if one.student in chosen],
                    missing=[student for student in record.missing if student in chosen],
                )
            place = Path(self.to or self.file_name.format(name))
            content, opened = self.content(record, place), False
            try:
                with place.open("w", encoding="utf-8", newline="") as file:
                    opened = True
                    file.write(content)
            except OSError as error:
                if opened and place.is_file():
                    place.unlink()  # half of a class would look like a whole one
                self.parent.fail(f"{place} cannot be written: {error.strerror}.")
            self.log.info("Wrote %s: %d submissions", place, len(record.submissions))

    def content(self, record: ClassRecord, place: Path) -> str:
        """The text of the file ``place``."""
        raise NotImplementedError


class Report(_Export):
    """The class report, one self-contained HTML page."""

    file_name = "report_{}.html"

    def content(self, record: ClassRecord, place: Path) -> str:
        """The page; students' names lead to their feedback where it was generated."""
        coursedir = self.parent.coursedir
        return report_html(record, place, Path(coursedir.root, coursedir.feedback_directory))


class Moodle(_Export):
    """Marks and feedback in the columns of Moodle's grading worksheet, in English."""

    file_name = "moodle_{}.csv"

    out_of = Float(20, help="Marks are scaled to so many points, more than 0.").tag(config=True)

    def content(self, record: ClassRecord, place: Path) -> str:
        """One line for each submission; who handed nothing in keeps the mark that Moodle has."""
        if not self.out_of > 0:
            self.parent.fail(f"Moodle.out_of is {self.out_of:g}: marks can be scaled to more than 0 points only.")
        waiting = sum(one.waits > 0 for one in record.submissions)
        if waiting:
            self.log.warning("%d submissions have answers that wait for a person: they count as they are now", waiting)
        numbers = {one.student: participant(one.student, one.name) for one in record.submissions}
        unknown = [student for student, found in numbers.items() if not found]
        if 0 < len(unknown) < len(numbers):
            self.log.warning("No number of a Moodle download, so no Identifier: %s", ", ".join(unknown))
        beyond = [one.student for one in record.submissions if one.score > record.out_of]
        if beyond:
            self.log.warning("More than all points, and Moodle takes the maximum at most: %s", ", ".join(beyond))
        rows = []
        for one in record.submissions:
            number, share = numbers[one.student], one.score / record.out_of if record.out_of else 0
            rows.append(
                {
                    "Identifier": f"Participant {number}" if number else "",
                    "Full name": one.name,
                    "ID number": one.student,
                    "Email address": one.email,
                    "Grade": f"{min(share, 1) * self.out_of:.2f}",
                    "Maximum grade": f"{self.out_of:.2f}",
                    "Last modified (grade)": "-",
                    "Feedback comments": _feedback(one),
                }
            )
        return _csv(rows, MOODLE)


MOODLE = (
    "Identifier", "Full name", "ID number", "Email address", "Grade", "Maximum grade", "Last modified (grade)",
    "Feedback comments",
)  # fmt: skip


def _feedback(submission: Submission) -> str:
    """What a student reads in Moodle, which takes it for HTML."""
    lines = []
    for mark in submission.marks:
        points = f"{number(mark.points)} / {number(mark.out_of)}"
        points += f" ({say('export.waits')})" if mark.waits else ""
        lines.append(f"<b>{say('labelled', name=escape(mark.grade_id), text=points)}</b>")
        for test in submission.tests_of(mark.grade_id):
            if test.verdict is not Verdict.PASSED:
                reason = escape(f"{test.rationale} {test.hint}".strip())
                lines.append(say("labelled", name=word(test.verdict), text=reason))
        if mark.comment:
            lines.append(escape(mark.comment))
    return "<br>".join(lines)


class Details(_Export):
    """Every hidden test and every mark of every student, one line each, as CSV."""

    file_name = "details_{}.csv"

    def content(self, record: ClassRecord, place: Path) -> str:
        """The table."""
        return _csv(list(_details(record)), DETAILS)


DETAILS = (
    "student_id", "last_name", "first_name", "email", "timestamp", "seconds_late", "penalty", "grade_id", "kind",
    "test", "verdict", "points", "out_of", "waits", "rationale", "hint", "accuracy", "required_accuracy", "comment",
)  # fmt: skip


def _details(record: ClassRecord) -> Iterator[dict[str, object]]:
    for one in record.submissions:
        student: dict[str, object] = {
            "student_id": one.student, "last_name": one.last_name, "first_name": one.first_name, "email": one.email,
            "timestamp": _iso(one.timestamp), "seconds_late": one.seconds_late, "penalty": one.penalty,
        }  # fmt: skip
        for mark in one.marks:
            yield student | {
                "grade_id": mark.grade_id, "kind": "by hand" if mark.by_hand else "cell", "points": mark.points,
                "out_of": mark.out_of, "waits": int(mark.waits), "comment": mark.comment,
            }  # fmt: skip
            for test in one.tests_of(mark.grade_id):
                accuracy, required = test.accuracy or ("", "")
                yield student | {
                    "grade_id": mark.grade_id, "kind": "hidden test", "test": test.name, "verdict": test.verdict.value,
                    "points": test.score, "out_of": test.points, "rationale": str(test.rationale),
                    "hint": test.hint, "accuracy": accuracy, "required_accuracy": required,
                }  # fmt: skip


class DetailsJson(_Export):
    """The same and the judge's whole results, as JSON."""

    file_name = "details_{}.json"

    def content(self, record: ClassRecord, place: Path) -> str:
        """The document."""
        submissions = []
        for one in record.submissions:
            results = {name: result.public() for name, result in one.results.items()}
            details = {"timestamp": _iso(one.timestamp), "score": one.score, "results": results}
            submissions.append(asdict(one) | details)
        document = {
            "course": record.course, "assignment": record.assignment, "out_of": record.out_of,
            "cells": dict(record.cells), "submissions": submissions, "missing": record.missing,
        }  # fmt: skip
        return json.dumps(document, ensure_ascii=False, indent=1)


def _iso(when: datetime | None) -> str:
    return "" if when is None else f"{when.isoformat(timespec='seconds')}Z"


def _csv(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    return stream.getvalue()


def _harmless(value: object) -> object:
    """A text that no spreadsheet takes for a formula: students choose names, and errors say what they wrote."""
    formula = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") and value != "-"
    return f"'{value}" if formula else value
