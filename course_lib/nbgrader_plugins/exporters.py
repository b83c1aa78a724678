"""Exporters for ``nbgrader export``: the class report, Moodle's grading worksheet, and all details as CSV or JSON.

    nbgrader export --exporter=course_lib.nbgrader_plugins.exporters.Report --to report.html

Each writes one file for an assignment. ``docs/exports.md`` explains the fields.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import ExportPlugin
from traitlets import Float, Unicode, default

from ..messages import language, set_language
from ..records.class_record import ClassRecord, read_class
from ..reports.class_report import report_html
from .moodle_download import participant
from .moodle_worksheet import MOODLE_COLUMNS, worksheet_row


class _Exporter(ExportPlugin):
    """Writes one file for each assignment named on the command line, by default for all of them."""

    file_name = ""
    """Name of the file if there is no ``--to``; ``{}`` stands for the assignment."""

    language = Unicode(help="Language of the file, by default the configured language of the grading.").tag(config=True)

    @default("language")  # type: ignore[untyped-decorator]
    def _language(self) -> str:
        return str(self.config.JudgedAutograde.get("language", language()))

    def export(self, gradebook: Gradebook) -> None:
        """Write the files."""
        known = [assignment.name for assignment in gradebook.assignments]
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
            record = self._chosen_students(record)
            place = Path(self.to or self.file_name.format(name))
            self._write(place, self.content(record, place))
            self.log.info("Wrote %s: %d submissions", place, len(record.submissions))

    def _chosen_students(self, record: ClassRecord) -> ClassRecord:
        """The class, limited to the students that ``--student`` names, if any."""
        chosen = {str(student) for student in self.student}
        if not chosen:
            return record
        if unknown := chosen.difference(record.missing, record.not_graded, (one.student for one in record.submissions)):
            self.parent.fail(f"The gradebook does not know the student {', '.join(sorted(unknown))}.")
        return replace(
            record,
            submissions=[one for one in record.submissions if one.student in chosen],
            missing=[student for student in record.missing if student in chosen],
            not_graded=[student for student in record.not_graded if student in chosen],
        )

    def _write(self, place: Path, content: str) -> None:
        """Write a file. If that fails halfway, delete it: half a class would look like the whole class."""
        opened = False
        try:
            with place.open("w", encoding="utf-8", newline="") as file:
                opened = True
                file.write(content)
        except OSError as error:
            if opened and place.is_file():
                place.unlink()
            self.parent.fail(f"{place} cannot be written: {error.strerror}.")

    def content(self, record: ClassRecord, place: Path) -> str:
        """The content of the file ``place``."""
        raise NotImplementedError


class Report(_Exporter):
    """The class report, one self-contained HTML page."""

    file_name = "report_{}.html"

    def content(self, record: ClassRecord, place: Path) -> str:
        """The page. Students' names link to their feedback pages, if they were generated."""
        coursedir = self.parent.coursedir
        return report_html(record, place, Path(coursedir.root, coursedir.feedback_directory))


class Moodle(_Exporter):
    """Marks and feedback in the columns of Moodle's grading worksheet."""

    file_name = "moodle_{}.csv"

    out_of = Float(20, help="The maximum grade in Moodle, more than 0. Marks are scaled to it.").tag(config=True)

    def content(self, record: ClassRecord, place: Path) -> str:
        """One line for each submission. Students who handed nothing in have no line, so Moodle keeps their marks."""
        if not self.out_of > 0:
            self.parent.fail(f"c.Moodle.out_of is {self.out_of:g}: set it to a number above 0, such as 20.")
        numbers = {one.student: participant(one.student, one.name) for one in record.submissions}
        self._warn(record, numbers)
        rows = [
            worksheet_row(one, numbers[one.student], one.score / record.out_of if record.out_of else 0, self.out_of)
            for one in record.submissions
        ]
        return _csv(rows, MOODLE_COLUMNS)

    def _warn(self, record: ClassRecord, numbers: dict[str, str]) -> None:
        """Warn about marks that are not final, and about students and marks that Moodle may refuse."""
        if waiting := sum(one.marks_to_grade > 0 for one in record.submissions):
            self.log.warning(
                "%d submissions still have answers to grade by hand; they are exported with their current points",
                waiting,
            )
        unknown = [student for student, number in numbers.items() if not number]
        if 0 < len(unknown) < len(numbers):
            self.log.warning(
                "Students without an Identifier, because they are not from a Moodle download: %s", ", ".join(unknown)
            )
        if beyond := [one.student for one in record.submissions if one.score > record.out_of]:
            self.log.warning("Above the maximum grade; exported as the maximum: %s", ", ".join(beyond))


DETAILS_COLUMNS = (
    "student_id", "last_name", "first_name", "email", "timestamp", "seconds_late", "penalty", "grade_id", "kind",
    "test", "verdict", "points", "out_of", "needs_grading", "rationale", "hint", "accuracy", "required_accuracy",
    "comment",
)  # fmt: skip


class Details(_Exporter):
    """Every mark and every hidden test of every student, one line each, as CSV."""

    file_name = "details_{}.csv"

    def content(self, record: ClassRecord, place: Path) -> str:
        """The table."""
        return _csv(list(_details(record)), DETAILS_COLUMNS)


def _details(record: ClassRecord) -> Iterator[dict[str, object]]:
    for one in record.submissions:
        student: dict[str, object] = {
            "student_id": one.student, "last_name": one.last_name, "first_name": one.first_name, "email": one.email,
            "timestamp": _iso(one.timestamp), "seconds_late": one.seconds_late, "penalty": one.penalty,
        }  # fmt: skip
        for mark in one.marks:
            yield student | {
                "grade_id": mark.grade_id, "kind": "by hand" if mark.by_hand else "cell", "points": mark.points,
                "out_of": mark.out_of, "needs_grading": int(mark.needs_grading), "comment": mark.comment,
            }  # fmt: skip
            for test in one.tests_of(mark.grade_id):
                accuracy, required = test.accuracy or ("", "")
                kind = "classic test" if mark.grade_id in one.classic else "hidden test"
                yield student | {
                    "grade_id": mark.grade_id, "kind": kind, "test": test.name, "verdict": test.verdict.value,
                    "points": test.score, "out_of": test.points, "rationale": str(test.rationale),
                    "hint": test.hint, "accuracy": accuracy, "required_accuracy": required,
                }  # fmt: skip


class DetailsJson(_Exporter):
    """The same as JSON, with the judge's complete results."""

    file_name = "details_{}.json"

    def content(self, record: ClassRecord, place: Path) -> str:
        """The document."""
        submissions = []
        for one in record.submissions:
            results = {name: result.public() for name, result in one.results.items()}
            details = {"timestamp": _iso(one.timestamp), "score": one.score, "results": results}
            known = {name: value for name, value in asdict(one).items() if name not in ("ambiguous", "folder")}
            submissions.append(known | details)
        document = {
            "course": record.course, "assignment": record.assignment, "out_of": record.out_of,
            "cells": dict(record.cells), "submissions": submissions, "missing": record.missing,
            "not_graded": record.not_graded,
        }  # fmt: skip
        return json.dumps(document, ensure_ascii=False, indent=1)


def _iso(when: datetime | None) -> str:
    return "" if when is None else f"{when.isoformat(timespec='seconds')}Z"


def _csv(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _escape_spreadsheet_formula(value) for name, value in row.items()} for row in rows)
    return stream.getvalue()


def _escape_spreadsheet_formula(value: object) -> object:
    """Put an apostrophe before a student's text that a spreadsheet would run as a formula."""
    is_formula = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") and value != "-"
    return f"'{value}" if is_formula else value
