"""All that is known of a class in one assignment: the gradebook's marks and the judge's results, as plain data."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nbgrader.api import Gradebook, Student, SubmittedAssignment
from nbgrader.coursedir import CourseDirectory

from ..authoring.result import NotebookResult, TestResult, Verdict
from ..judge.annotate import read_result
from .gradebook import graded_cells

__all__ = ["ALARMING", "ClassRecord", "Mark", "Submission", "column_title", "read_class"]

ALARMING = frozenset(set(Verdict) - {Verdict.PASSED, Verdict.FAILED, Verdict.NOT_ATTEMPTED, Verdict.ERROR})
"""The verdicts that a person should look at: an accident, an attack, or a limit that is too tight."""


def column_title(grade_id: str) -> str:
    """What a table of students calls a grade cell: by what it tests."""
    return grade_id.removeprefix("test_")


@dataclass(frozen=True)
class Mark:
    """The points of one grade cell, as they stand in the gradebook."""

    grade_id: str
    points: float
    """Earned; what a person gave counts before what the judge gave."""
    out_of: float
    by_hand: bool
    """Whether a person grades it: a free text."""
    waits: bool
    """Whether a person has not graded it yet, or has to look again; the points are not final."""
    comment: str
    """What a person wrote beside it."""


@dataclass(frozen=True)
class Submission:
    """What one student handed in."""

    student: str
    first_name: str
    last_name: str
    email: str
    timestamp: datetime | None
    """When it was handed in, in UTC; None when unknown."""
    seconds_late: float
    penalty: float
    """Points taken off for being late."""
    marks: list[Mark]
    results: dict[str, NotebookResult]
    """The judge's result of each notebook, by its name; those that were never graded are missing."""
    ungraded: list[str]
    """The notebooks that were never graded."""

    @property
    def name(self) -> str:
        """The full name, or the student's id when there is none."""
        return " ".join(part for part in (self.first_name, self.last_name) if part) or self.student

    @property
    def score(self) -> float:
        """The points of all marks, penalty subtracted."""
        return max(0.0, sum(mark.points for mark in self.marks) - self.penalty)

    @property
    def by_cell(self) -> dict[str, Mark]:
        """The marks by grade cell."""
        return {mark.grade_id: mark for mark in self.marks}

    @property
    def waits(self) -> int:
        """The number of marks that wait for a person."""
        return sum(mark.waits for mark in self.marks)

    def tests(self) -> Iterator[tuple[str, TestResult]]:
        """Every hidden test with the id of its grade cell."""
        for result in self.results.values():
            for cell in result.cells:
                yield from ((cell.grade_id, test) for test in cell.tests)

    def tests_of(self, grade_id: str) -> list[TestResult]:
        """The hidden tests of one grade cell."""
        return [test for found, test in self.tests() if found == grade_id]

    @property
    def verdicts(self) -> Counter[Verdict]:
        """How often each verdict was given, passed apart."""
        return Counter(test.verdict for _, test in self.tests() if test.verdict is not Verdict.PASSED)


@dataclass(frozen=True)
class ClassRecord:
    """A class in one assignment."""

    course: str
    assignment: str
    cells: list[tuple[str, float]]
    """The grade cells in the order of the notebook, with their points."""
    submissions: list[Submission]
    """By student id."""
    missing: list[str]
    """The ids of students who handed nothing in."""

    @property
    def out_of(self) -> float:
        """The points that can be earned."""
        return sum(points for _, points in self.cells)


def read_class(gradebook: Gradebook, coursedir: CourseDirectory, assignment: str) -> ClassRecord:
    """Read the marks of an assignment from the gradebook, and the judge's results from the autograded notebooks.

    Args:
        gradebook: an open gradebook.
        coursedir: says where autograded notebooks are.
        assignment: name of the assignment.

    Raises:
        nbgrader.api.MissingEntry: if the gradebook does not know the assignment.
    """
    notebooks = gradebook.find_assignment(assignment).notebooks
    cells = [(cell.name, float(cell.max_score)) for notebook in notebooks for cell in graded_cells(notebook)]
    order = {name: i for i, (name, _) in enumerate(cells)}
    submissions = []
    for submitted in gradebook.assignment_submissions(assignment):
        folder = Path(coursedir.format_path(coursedir.autograded_directory, submitted.student.id, assignment))
        submissions.append(_submission(submitted, folder, order))
    handed_in = {one.student for one in submissions}
    return ClassRecord(
        str(coursedir.course_id),
        assignment,
        cells,
        sorted(submissions, key=lambda one: one.student),
        sorted(student.id for student in gradebook.students if student.id not in handed_in),
    )


def _submission(submitted: SubmittedAssignment, folder: Path, order: dict[str, int]) -> Submission:
    student: Student = submitted.student
    marks, results, penalty = [], {}, 0.0
    for notebook in submitted.notebooks:
        comments = {comment.name: comment.manual_comment or "" for comment in notebook.comments}
        found = read_result(folder / f"{notebook.name}.ipynb")
        if found is not None:
            _, result = found
            results[notebook.name] = result
            for cell in result.cells:  # the first grade cell of an answer has its comment
                comments[cell.grade_id] = comments.pop(cell.solution, "")
        penalty += notebook.late_submission_penalty or 0.0
        of_source = notebook.notebook  # what is its own answer has no tests, a task neither
        by_hand = {cell.name for cell in [*of_source.solution_cells, *of_source.task_cells]}
        marks += [
            Mark(
                grade.name,
                float(grade.score),
                float(grade.max_score),
                grade.cell.name in by_hand,
                bool(grade.needs_manual_grade),
                comments.get(grade.name, ""),
            )
            for grade in notebook.grades
        ]
    marks.sort(key=lambda mark: order.get(mark.grade_id, len(order)))
    return Submission(
        student.id,
        student.first_name or "",
        student.last_name or "",
        student.email or "",
        submitted.timestamp,
        submitted.total_seconds_late,
        penalty,
        marks,
        results,
        [notebook.name for notebook in submitted.notebooks if notebook.name not in results],
    )
