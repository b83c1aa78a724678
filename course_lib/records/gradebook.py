"""Read and write nbgrader's gradebook, with one transaction for each submission."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from nbgrader.api import (
    Assignment,
    MissingEntry,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import text

from ..assignment.spec import NotebookSpec
from ..judge.task import GradedNotebook
from ..results.errors import AssignmentError
from .gradebook_queries import Marks, graded_cells, query_marks, query_submissions, record_notebook
from .retrying_gradebook import RetryingGradebook

_LOCK = text("UPDATE student SET id = id WHERE 1 = 0")
"""Changes nothing, but acquires the lock that writing needs."""

Penalize = Callable[[str, str], None]
"""Sets the late penalty of a notebook. The arguments are the student and the name of the notebook."""


class CourseGradebook(RetryingGradebook):
    """The gradebook of a course: what autograding reads from it and writes to it."""

    def check(self, spec: NotebookSpec) -> None:
        """Check that the gradebook has the grade cells of a notebook.

        Raises:
            AssignmentError: if it has other cells.
        """

        def cells(gradebook: Any) -> tuple[dict[str, float], set[str], bool, datetime | None]:
            notebook = gradebook.find_notebook(spec.name, spec.assignment)
            points = {cell.name: cell.max_score for cell in graded_cells(notebook)}
            solutions = {cell.name for cell in notebook.solution_cells}
            return points, solutions, bool(notebook.submissions), notebook.assignment.duedate

        try:
            points, solutions, has_marks, due_date = self._retry_while_locked(cells)
        except MissingEntry as error:
            advice = _how_to_regenerate("cells", spec.assignment)
            raise AssignmentError(f"The gradebook does not know {spec.assignment}/{spec.name}: {advice}") from error
        wanted = {cell.grade_id: cell.points for cell in spec.grade_cells}
        missing = {cell.solution for cell in spec.grade_cells if cell.solution} - solutions
        if points == wanted and not missing:
            return
        only_points = points.keys() == wanted.keys() and not missing
        advice = _how_to_regenerate("cells", spec.assignment, has_marks and not only_points, due_date)
        different = ", ".join(sorted(missing | {name for name, _ in points.items() ^ wanted.items()}))
        raise AssignmentError(
            f"The cells in the gradebook differ from those of {spec.assignment}/{spec.name}.ipynb ({different}): "
            + advice
        )

    def check_notebooks(self, assignment: str, names: Collection[str]) -> None:
        """Check that the gradebook has exactly these notebooks of an assignment.

        Raises:
            AssignmentError: if it has others.
        """

        def notebooks(gradebook: Any) -> tuple[set[str], bool, datetime | None]:
            entry = gradebook.find_assignment(assignment)
            return {notebook.name for notebook in entry.notebooks}, bool(entry.submissions), entry.duedate

        try:
            known, has_marks, due_date = self._retry_while_locked(notebooks)
        except MissingEntry as error:
            advice = _how_to_regenerate("notebooks", assignment)
            raise AssignmentError(f"The gradebook does not know the assignment {assignment}: {advice}") from error
        if different := known.symmetric_difference(names):
            raise AssignmentError(
                f"The notebooks of {assignment} in the gradebook differ from those in its source folder "
                f"({', '.join(sorted(different))}): " + _how_to_regenerate("notebooks", assignment, has_marks, due_date)
            )

    def recorded(self, specs: Sequence[NotebookSpec]) -> dict[str, dict[str, Marks]]:
        """The automatic marks of the grade cells, by student and notebook."""
        recorded: dict[str, dict[str, Marks]] = {}
        for spec in specs:
            known = {cell.grade_id for cell in spec.grade_cells}
            for student, grade_id, mark in self._retry_while_locked(query_marks, spec):
                marks = recorded.setdefault(student, {}).setdefault(spec.name, {})
                if grade_id in known:
                    marks[grade_id] = mark
        return recorded

    def timestamps(self, assignment: str) -> dict[str, datetime | None]:
        """When each student submitted, in UTC; None if unknown."""

        def read(gradebook: Any) -> list[tuple[str, datetime | None]]:
            columns = SubmittedAssignment.student_id, SubmittedAssignment.timestamp
            return list(query_submissions(gradebook, assignment, *columns))

        return dict(self._retry_while_locked(read))

    def update_penalties(self, assignment: str, students: Collection[str], penalize: Penalize) -> set[str]:
        """Recompute the penalties of late or penalized notebooks, because the due date or the rules may have changed.

        Args:
            assignment: name of the assignment.
            students: only their penalties are recomputed.
            penalize: sets the penalty of a notebook.

        Returns:
            The students whose penalty changed.
        """

        def penalties(gradebook: Any) -> set[tuple[str, str, float]]:
            columns = SubmittedAssignment.student_id, Notebook.name, SubmittedNotebook.late_submission_penalty
            return {
                (student, name, lost or 0.0)
                for student, name, lost in query_submissions(gradebook, assignment, *columns)
            }

        def late(gradebook: Any) -> list[tuple[str, str]]:
            query = query_submissions(gradebook, assignment, SubmittedAssignment.student_id, Notebook.name).filter(
                SubmittedNotebook.late_submission_penalty.isnot(None)
                | (SubmittedAssignment.timestamp > Assignment.duedate)
            )
            return [(student, name) for student, name in query.all() if student in students]

        before = self._retry_while_locked(penalties)
        for student, name in self._retry_while_locked(late):
            self._retry_while_locked(lambda _, *names: penalize(*names), student, name)
        self._rollback()  # the plug-in has written through another connection: read the new values
        return {student for student, _, _ in self._retry_while_locked(penalties) - before}

    def add_students(self, names: Mapping[str, str]) -> None:
        """Add the students that are not in the gradebook yet.

        Args:
            names: full names by student id. They become last names, because a program cannot split a name reliably.

        Raises:
            GraderError: if the gradebook stays locked.
        """

        def write(gradebook: Any) -> None:
            known = {student.id for student in gradebook.students}
            gradebook.db.add_all(
                Student(id=student, first_name="", last_name=name)
                for student, name in names.items()
                if student not in known
            )
            gradebook.db.commit()

        self._retry_while_locked(write)

    def record(
        self,
        student: str,
        assignment: str,
        timestamp: datetime | None,
        graded: Mapping[str, GradedNotebook],
        unchanged_cells: Mapping[str, Collection[str]],
        add_student: bool,
        penalize: Penalize,
    ) -> None:
        """Record one submission, and replace its old automatic marks.

        Marks that a person gave are kept. They are flagged for review if the student's answers, the points of the cell
        or the automatic mark have changed; nbgrader would flag them each time. A free text that was handed in unchanged
        gets 0. Any other free text is left for a person to grade.

        Args:
            student: the student's id.
            assignment: name of the assignment.
            timestamp: when it was submitted, in UTC; None if unknown.
            graded: results by name of notebook.
            unchanged_cells: by name of notebook, the cells whose points and answers are as at the last grading.
            add_student: whether to add a student that the gradebook does not know.
            penalize: called for each notebook that is late or has a penalty.

        Raises:
            GraderError: if the gradebook stays locked.
            MissingEntry: if the gradebook does not know the student, and ``add_student`` is false.
        """

        def write(gradebook: Any) -> list[str]:
            gradebook.db.execute(_LOCK)  # fails here if locked; later, nbgrader would log a traceback
            if add_student:
                gradebook.update_or_create_student(student)
            with gradebook.db.no_autoflush:  # nbgrader adds a new submission only after it has linked its parts
                submission = gradebook.update_or_create_submission(assignment, student, timestamp=timestamp)
            late = []
            for name, result in graded.items():
                submitted = gradebook.find_submission_notebook(name, assignment, student)
                record_notebook(submitted, result, unchanged_cells[name])
                if submission.total_seconds_late > 0 or submitted.late_submission_penalty is not None:
                    late.append(name)
            gradebook.db.commit()
            gradebook.db.expunge_all()  # otherwise memory grows with the class
            return late

        for name in self._retry_while_locked(write):
            self._retry_while_locked(lambda _, *names: penalize(*names), student, name)


def _how_to_regenerate(what: str, assignment: str, has_marks: bool = False, due_date: datetime | None = None) -> str:
    """Advice on how to bring the gradebook up to date.

    Args:
        what: "cells" or "notebooks". nbgrader does not add or remove them once there are marks.
        assignment: name of the assignment.
        has_marks: whether the gradebook has marks of the assignment.
        due_date: its due date, in UTC.
    """
    generate = f"run 'nbgrader generate_assignment {assignment} --force'"
    if not has_marks:
        return f"{generate} first"
    advice = (
        f"there are marks already. Either give the {what} their old names, or make a copy of gradebook.db, delete all "
        f"marks with 'nbgrader db assignment remove {assignment} --force', then {generate}"
    )
    if due_date is not None:
        again = f"nbgrader db assignment add {assignment} --duedate='{due_date} UTC'"
        advice += f", and set the due date again: {again}"
    return advice
