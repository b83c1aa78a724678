"""A class in one assignment as plain data: the marks in the gradebook, and the judge's results."""

from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import datetime
from glob import glob
from pathlib import Path

from nbgrader.api import Gradebook, Student, SubmittedAssignment, SubmittedNotebook
from nbgrader.coursedir import CourseDirectory

from ..judge.annotate import read_result
from ..results.result import NotebookResult, TestResult, Verdict
from .gradebook_queries import graded_cells

NEEDS_ATTENTION = (
    Verdict.TEST_CRASHED, Verdict.UNREADABLE, Verdict.INVALID_ANSWER, Verdict.TOO_MANY_PROCESSES, Verdict.KERNEL_DIED,
    Verdict.OUT_OF_MEMORY, Verdict.DISK_FULL, Verdict.TOO_MUCH_OUTPUT, Verdict.TIMEOUT,
)  # fmt: skip
"""The verdicts that a person should look at, the most urgent first.

Their cause is an accident, an attack, or a limit that is too tight.
"""


def student_label(student: str, first_name: str | None, last_name: str | None) -> str:
    """A student's full name with the id, which is never ambiguous; the id alone if the name is unknown."""
    name = full_name(first_name, last_name)
    return f"{name} ({student})" if name else student


def full_name(first_name: str | None, last_name: str | None) -> str:
    """A student's full name; empty if it is unknown."""
    return " ".join(part for part in (first_name, last_name) if part)


def column_title(grade_id: str) -> str:
    """The title of a grade cell's column in a table of students."""
    return grade_id.removeprefix("test_")


def cell_title(notebook: str, grade_id: str, ambiguous: Container[str]) -> str:
    """The id of a grade cell, after the name of its notebook if cells of several notebooks have this id."""
    return f"{notebook}: {grade_id}" if grade_id in ambiguous else grade_id


@dataclass(frozen=True)
class Mark:
    """The points of one grade cell in the gradebook."""

    grade_id: str
    points: float
    """Points earned. Points that a person gave replace the judge's."""
    out_of: float
    by_hand: bool
    """Whether a person grades it, as for a free text."""
    needs_grading: bool
    """Whether a person still has to grade it, or to look at it again. The points are not final then."""
    comment: str
    """The comment of the person who graded it."""


@dataclass(frozen=True)
class Submission:
    """What one student handed in."""

    student: str
    first_name: str
    last_name: str
    email: str
    timestamp: datetime | None
    """When it was handed in, in UTC; None if unknown."""
    seconds_late: float
    penalty: float
    """Points taken off for being late."""
    marks: list[Mark]
    results: dict[str, NotebookResult]
    """The judge's results by the name of the notebook. Notebooks without a result are not included."""
    ungraded: list[str]
    """The notebooks without a result: not graded yet, or graded by another version of the kit."""

    @property
    def name(self) -> str:
        """The full name; the student's id if it is unknown."""
        return full_name(self.first_name, self.last_name) or self.student

    @property
    def score(self) -> float:
        """The points of all marks, penalty subtracted."""
        return max(0.0, sum(mark.points for mark in self.marks) - self.penalty)

    @property
    def by_cell(self) -> dict[str, Mark]:
        """The marks by grade cell."""
        return {mark.grade_id: mark for mark in self.marks}

    @property
    def marks_to_grade(self) -> int:
        """The number of marks that a person still has to grade or review."""
        return sum(mark.needs_grading for mark in self.marks)

    folder: Path | None = None
    """The folder of its autograded notebooks; None if it is not known."""

    @property
    def label(self) -> str:
        """The name with the id, which is never ambiguous."""
        return student_label(self.student, self.first_name, self.last_name)

    ambiguous: frozenset[str] = frozenset()
    """The ids that cells of several notebooks have."""

    def tests(self) -> Iterator[tuple[str, TestResult]]:
        """Every hidden test with the title of its grade cell."""
        for notebook, result in self.results.items():
            for cell in result.cells:
                yield from ((cell_title(notebook, cell.grade_id, self.ambiguous), test) for test in cell.tests)

    @property
    def classic(self) -> set[str]:
        """The titles of the grade cells that are tested by their own code."""
        return {
            cell_title(notebook, cell.grade_id, self.ambiguous)
            for notebook, result in self.results.items()
            for cell in result.cells
            if cell.classic
        }

    def tests_of(self, title: str) -> list[TestResult]:
        """The hidden tests of the grade cell with this title."""
        return [test for found, test in self.tests() if found == title]

    @property
    def verdicts(self) -> Counter[Verdict]:
        """How often each verdict was given, except passed."""
        return Counter(test.verdict for _, test in self.tests() if test.verdict is not Verdict.PASSED)


@dataclass(frozen=True)
class ClassRecord:
    """A class in one assignment."""

    course: str
    assignment: str
    cells: list[tuple[str, float]]
    """The grade cells in the order of the notebook, with their points."""
    submissions: list[Submission]
    """The submissions, sorted by student id."""
    missing: list[str]
    """The ids of students who handed nothing in."""
    not_graded: list[str]
    """The ids of students who handed something in, but have no recorded result."""

    @property
    def out_of(self) -> float:
        """The points that can be earned."""
        return sum(points for _, points in self.cells)


def read_class(
    gradebook: Gradebook, coursedir: CourseDirectory, assignment: str, students: Container[str] | None = None
) -> ClassRecord:
    """Read the marks of an assignment from the gradebook, and the judge's results from the autograded notebooks.

    Args:
        gradebook: an open gradebook.
        coursedir: the course's folders, among them the folder of autograded notebooks.
        assignment: name of the assignment.
        students: only their submissions are read; None for all.

    Raises:
        nbgrader.api.MissingEntry: if the gradebook does not know the assignment.
    """
    notebooks = gradebook.find_assignment(assignment).notebooks
    counts = Counter(cell.name for notebook in notebooks for cell in graded_cells(notebook))
    ambiguous = frozenset(name for name, n in counts.items() if n > 1)
    cells = [
        (cell_title(notebook.name, cell.name, ambiguous), float(cell.max_score))
        for notebook in notebooks
        for cell in graded_cells(notebook)
    ]
    order = {name: i for i, (name, _) in enumerate(cells)}
    submissions = []
    for submitted in gradebook.assignment_submissions(assignment):
        if students is not None and submitted.student.id not in students:
            continue
        folder = Path(coursedir.format_path(coursedir.autograded_directory, submitted.student.id, assignment))
        submissions.append(_submission(submitted, folder, order, ambiguous))
    graded = {one.student for one in submissions}
    submitted_to = coursedir.format_path(coursedir.submitted_directory, "*", assignment)
    handed_in = {Path(folder).parent.name for folder in glob(submitted_to) if Path(folder).is_dir()}
    without = {student.id for student in gradebook.students} - graded
    return ClassRecord(
        course=str(coursedir.course_id),
        assignment=assignment,
        cells=cells,
        submissions=sorted(submissions, key=lambda one: one.student),
        missing=sorted(without - handed_in),
        not_graded=sorted(handed_in - graded),
    )


def _submission(
    submitted: SubmittedAssignment, folder: Path, order: dict[str, int], ambiguous: frozenset[str]
) -> Submission:
    """Read one submission.

    Args:
        submitted: the submission in the gradebook.
        folder: the folder of its autograded notebooks.
        order: position of each grade cell in the notebooks, by its title.
        ambiguous: the ids that cells of several notebooks have.
    """
    student: Student = submitted.student
    marks: list[Mark] = []
    results: dict[str, NotebookResult] = {}
    for notebook in submitted.notebooks:
        found = read_result(folder / f"{notebook.name}.ipynb")
        if found is not None:
            _, results[notebook.name] = found
        marks += _marks(notebook, results.get(notebook.name), ambiguous)
    marks.sort(key=lambda mark: order.get(mark.grade_id, len(order)))
    return Submission(
        student=student.id,
        first_name=student.first_name or "",
        last_name=student.last_name or "",
        email=student.email or "",
        timestamp=submitted.timestamp,
        seconds_late=submitted.total_seconds_late,
        penalty=sum((notebook.late_submission_penalty or 0.0 for notebook in submitted.notebooks), 0.0),
        marks=marks,
        results=results,
        ungraded=[notebook.name for notebook in submitted.notebooks if notebook.name not in results],
        ambiguous=ambiguous,
        folder=folder,
    )


def _marks(notebook: SubmittedNotebook, result: NotebookResult | None, ambiguous: Container[str]) -> list[Mark]:
    """The marks of one notebook."""
    comments = {comment.name: comment.manual_comment or "" for comment in notebook.comments}
    for cell in (
        result.cells if result else ()
    ):  # formgrader attaches the comment to the solution cell; move it to the mark
        comments[cell.grade_id] = comments.pop(cell.solution, "")
    definition = notebook.notebook
    by_hand = {cell.name for cell in [*definition.solution_cells, *definition.task_cells]}  # these have no tests
    return [
        Mark(
            grade_id=cell_title(notebook.name, grade.name, ambiguous),
            points=float(grade.score),
            out_of=float(grade.max_score),
            by_hand=grade.cell.name in by_hand,
            needs_grading=bool(grade.needs_manual_grade),
            comment=comments.get(grade.name, ""),
        )
        for grade in notebook.grades
    ]
