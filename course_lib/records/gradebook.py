"""Read and write nbgrader's gradebook: one transaction for a submission, patience with other programs."""

import contextlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from logging import Logger
from typing import Any, TypeVar

from nbgrader.api import (
    Assignment,
    BaseCell,
    Grade,
    Gradebook,
    InvalidEntry,
    MissingEntry,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from ..assignment.spec import NotebookSpec
from ..authoring.errors import AssignmentError, GradingFault
from ..judge.task import GradedNotebook
from ..messages import say

__all__ = ["CourseGradebook", "Marks", "automatic_marks", "due", "graded_cells"]

PATIENCE = 60
"""Seconds to wait for a gradebook that another program has locked."""

_NOTHING = text("UPDATE student SET id = id WHERE 1 = 0")
"""Changes nothing, but wants to write."""

T = TypeVar("T")

Marks = dict[str, float | None]
"""By grade cell; None where a person decides."""

Penalize = Callable[[str, str], None]
"""Sets the late penalty of a student's notebook, by the names of both."""


def graded_cells(notebook: Notebook) -> list[BaseCell]:
    """The cells of a notebook in nbgrader's gradebook that carry points: grade cells, and tasks."""
    return [*notebook.grade_cells, *notebook.task_cells]


def due(submission: SubmittedAssignment) -> datetime | None:
    """When a submission is due, in UTC: nbgrader's ``duedate``, mended for an extension where there is no due date."""
    date: datetime | None = submission.assignment.duedate
    return date if date is None or submission.extension is None else date + submission.extension


def automatic_marks(submission: SubmittedAssignment) -> Marks:
    """The automatic marks of a submission in nbgrader's gradebook."""
    return {grade.name: grade.auto_score for notebook in submission.notebooks for grade in notebook.grades}


class CourseGradebook(AbstractContextManager["CourseGradebook"]):
    """The gradebook of a course, open for as long as a command runs.

    Args:
        url: of the database.
        course: id of the course.
        log: is told when the gradebook is locked.
    """

    def __init__(self, url: str, course: str, log: Logger) -> None:
        self._url = url
        self._log = log
        self._patience: float = PATIENCE
        self._gradebook: Gradebook | None = None
        self._gradebook = self._patiently(lambda _: Gradebook(url, course))

    def __exit__(self, *error: object) -> None:
        if self._gradebook is not None:
            self._gradebook.close()

    def _patiently(self, action: Callable[..., T], *more: object) -> T:
        """What ``action`` returns for the gradebook, and ``more``, once no other program locks it.

        Raises:
            GradingFault: if it stays locked, or cannot be used at all.
        """
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return action(self._gradebook, *more)
            except (DatabaseError, InvalidEntry) as error:  # nbgrader raises the second for the first
                self._forget()
                why = str(error).splitlines()[0]  # below it, SQLAlchemy has the statement and a link
                if "locked" not in why:
                    raise GradingFault(
                        f"{self._url}: {why}: see that the file can be written; where it is damaged, put a copy of it "
                        "back. Then run the command again"
                    ) from error
                if time.monotonic() > deadline:
                    self._patience = 0  # of a class, only the first one waits
                    raise GradingFault(
                        f"{self._url} is locked by another program: close it, then run the command again"
                    ) from error
                self._log.warning("The gradebook is locked by another program; waiting")
                time.sleep(1)
            except BaseException:
                with contextlib.suppress(SQLAlchemyError):  # an interrupt may have come while one was ended: it counts
                    self._forget()
                raise

    def _forget(self) -> None:
        """End an unfinished transaction."""
        if self._gradebook is not None:
            self._gradebook.db.rollback()

    def check(self, spec: NotebookSpec) -> None:
        """See that the gradebook has the grade cells of a notebook.

        Raises:
            AssignmentError: if it has others.
        """
        advice = _way_out("cells", spec.assignment)

        def cells(gradebook: Any) -> tuple[dict[str, float], set[str], bool, datetime | None]:
            notebook = gradebook.find_notebook(spec.name, spec.assignment)
            marks = {cell.name: cell.max_score for cell in graded_cells(notebook)}
            solutions = {cell.name for cell in notebook.solution_cells}
            return marks, solutions, bool(notebook.submissions), notebook.assignment.duedate

        try:
            marks, solutions, graded, due = self._patiently(cells)
        except MissingEntry as error:
            raise AssignmentError(f"The gradebook does not know {spec.assignment}/{spec.name}: {advice}") from error
        wanted = {cell.grade_id: cell.points for cell in spec.grade_cells}
        lacking = {cell.solution for cell in spec.grade_cells if cell.solution} - solutions
        if marks == wanted and not lacking:
            return
        if graded and (marks.keys() != wanted.keys() or lacking):
            advice = _way_out("cells", spec.assignment, graded, due)
        different = ", ".join(sorted(lacking | {name for name, _ in marks.items() ^ wanted.items()}))
        raise AssignmentError(
            f"The gradebook has other cells than {spec.assignment}/{spec.name}.ipynb ({different}): {advice}"
        )

    def check_notebooks(self, assignment: str, names: Collection[str]) -> None:
        """See that the gradebook has just these notebooks of an assignment.

        Raises:
            AssignmentError: if it has others.
        """

        def notebooks(gradebook: Any) -> tuple[set[str], bool, datetime | None]:
            found = gradebook.find_assignment(assignment)
            return {notebook.name for notebook in found.notebooks}, bool(found.submissions), found.duedate

        try:
            known, graded, due = self._patiently(notebooks)
        except MissingEntry as error:
            advice = _way_out("notebooks", assignment)
            raise AssignmentError(f"The gradebook does not know the assignment {assignment}: {advice}") from error
        if different := known.symmetric_difference(names):
            raise AssignmentError(
                f"The gradebook has other notebooks of {assignment} than its source ({', '.join(sorted(different))}): "
                + _way_out("notebooks", assignment, graded, due)
            )

    def recorded(self, specs: Sequence[NotebookSpec]) -> dict[str, dict[str, Marks]]:
        """The automatic marks of the grade cells, by student and notebook."""
        found: dict[str, dict[str, Marks]] = {}
        for spec in specs:
            known = {cell.grade_id for cell in spec.grade_cells}
            for student, grade_id, mark in self._patiently(_marks, spec):
                marks = found.setdefault(student, {}).setdefault(spec.name, {})
                if grade_id in known:
                    marks[grade_id] = mark
        return found

    def timestamps(self, assignment: str) -> dict[str, datetime | None]:
        """When each student's submission was handed in, in UTC, as far as it is known."""

        def read(gradebook: Any) -> list[tuple[str, datetime | None]]:
            columns = SubmittedAssignment.student_id, SubmittedAssignment.timestamp
            return list(_submitted(gradebook, assignment, *columns))

        return dict(self._patiently(read))

    def update_penalties(self, assignment: str, students: Collection[str], penalize: Penalize) -> set[str]:
        """Have the penalties of notebooks set again that came late, or have one: due dates and rules change.

        Returns:
            The students who have another penalty now.
        """

        def penalties(gradebook: Any) -> set[tuple[str, str, float]]:
            columns = SubmittedAssignment.student_id, Notebook.name, SubmittedNotebook.late_submission_penalty
            return {(student, name, lost or 0.0) for student, name, lost in _submitted(gradebook, assignment, *columns)}

        def concerned(gradebook: Any) -> list[tuple[str, str]]:
            query = _submitted(gradebook, assignment, SubmittedAssignment.student_id, Notebook.name).filter(
                SubmittedNotebook.late_submission_penalty.isnot(None)
                | (SubmittedAssignment.timestamp > Assignment.duedate)
            )
            return [(student, name) for student, name in query.all() if student in students]

        before = self._patiently(penalties)
        for student, name in self._patiently(concerned):
            self._patiently(lambda _, *names: penalize(*names), student, name)
        self._forget()  # the plug-in has written over another connection
        return {student for student, _, _ in self._patiently(penalties) - before}

    def add_students(self, names: Mapping[str, str]) -> None:
        """Add the students, by id, that are not there yet; a full name is kept as last name: nobody can split it.

        Raises:
            GradingFault: if the gradebook stays locked.
        """

        def write(gradebook: Any) -> None:
            known = {student.id for student in gradebook.students}
            gradebook.db.add_all(
                Student(id=student, first_name="", last_name=name)
                for student, name in names.items()
                if student not in known
            )
            gradebook.db.commit()

        self._patiently(write)

    def record(
        self,
        student: str,
        assignment: str,
        timestamp: datetime | None,
        graded: Mapping[str, GradedNotebook],
        same: Mapping[str, Collection[str]],
        create: bool,
        penalize: Penalize,
    ) -> None:
        """Record one submission, its old marks reset first.

        Marks that a person gave are kept. They are flagged for another look when the student has handed in something
        else, or when the cell's points or the automatic mark are others; nbgrader flags them each time. A free text
        that was handed in as given gets 0, any other waits for a person.

        Args:
            student: the student's id.
            assignment: name of the assignment.
            timestamp: when it was submitted, in UTC; None when unknown.
            graded: results by name of notebook.
            same: by name of notebook, the cells whose points and the student's answers are those of the last time.
            create: whether to add a student that the gradebook does not know.
            penalize: called for each notebook that came late, or that has a penalty.

        Raises:
            GradingFault: if the gradebook stays locked.
            MissingEntry: if it does not know the student.
        """

        def write(gradebook: Any) -> list[str]:
            gradebook.db.execute(_NOTHING)  # a lock shows here; nbgrader makes a traceback of a later one
            if create:
                gradebook.update_or_create_student(student)
            with gradebook.db.no_autoflush:  # nbgrader links the parts of a new submission before it adds it
                submission = gradebook.update_or_create_submission(assignment, student, timestamp=timestamp)
            late = []
            for name, result in graded.items():
                submitted = gradebook.find_submission_notebook(name, assignment, student)
                _record_notebook(submitted, result, same[name])
                if submission.total_seconds_late > 0 or submitted.late_submission_penalty is not None:
                    late.append(name)
            gradebook.db.commit()
            gradebook.db.expunge_all()  # a class of any size takes the same memory
            return late

        for name in self._patiently(write):
            self._patiently(lambda _, *names: penalize(*names), student, name)


def _way_out(what: str, assignment: str, graded: bool = False, due: datetime | None = None) -> str:
    """What to do: where there are marks (``graded``), nbgrader adds and removes neither cells nor notebooks."""
    generate = f"run 'nbgrader generate_assignment {assignment} --force' first"
    if not graded:
        return generate
    advice = (
        f"there are marks already. Give the {what} their old names, or make a copy of gradebook.db and forget "
        f"all marks of the assignment: 'nbgrader db assignment remove {assignment} --force', then {generate}"
    )
    if due is not None:
        again = f"nbgrader db assignment add {assignment} --duedate='{due} UTC'"
        advice += f", and set its due date again: {again}"
    return advice


def _submitted(gradebook: Any, assignment: str, *columns: Any) -> Any:
    """A query for ``columns`` of all submitted notebooks of an assignment."""
    return (
        gradebook.db.query(*columns)
        .select_from(SubmittedNotebook)
        .join(Notebook, SubmittedNotebook.notebook_id == Notebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .filter(Assignment.name == assignment)
    )


def _marks(gradebook: Any, spec: NotebookSpec) -> list[tuple[str, str, float | None]]:
    """Student, grade cell and automatic mark for each mark of a notebook."""
    query = (
        _submitted(gradebook, spec.assignment, SubmittedAssignment.student_id, BaseCell.name, Grade.auto_score)
        .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
        .join(BaseCell, Grade.cell_id == BaseCell.id)
        .filter(Notebook.name == spec.name)
    )
    return list(query.all())


def _record_notebook(submitted: Any, graded: GradedNotebook, same: Collection[str]) -> None:
    scores = graded.result.marks
    for grade in submitted.grades:
        score = scores.get(grade.name, 0.0 if grade.name in graded.unchanged else None)
        looked_at = grade.name in same and score == grade.auto_score and not grade.needs_manual_grade
        grade.needs_manual_grade = score is None if grade.manual_score is None else not looked_at
        grade.auto_score = score
    for comment in submitted.comments:
        if graded.result.unreadable:
            comment.auto_comment = say("hint.unreadable", detail=graded.result.unreadable)
        elif comment.name in graded.unchanged:
            comment.auto_comment = say("feedback.no_response")
        else:
            comment.auto_comment = None
