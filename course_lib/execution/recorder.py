"""Records graded submissions: marks in the gradebook, the autograded folder, late penalties."""

import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from glob import escape
from logging import Logger
from pathlib import Path
from typing import Any

from nbgrader.api import InvalidEntry
from sqlalchemy.exc import SQLAlchemyError

from ..assignment.cells import cell_name, is_students
from ..assignment.spec import NotebookSpec
from ..files import write_atomically
from ..judge.annotate import read_result, without_times
from ..judge.student_files import write_files
from ..judge.task import GradedNotebook, GradingTask, Unreadable
from ..records.gradebook import CourseGradebook
from ..records.gradebook_queries import Marks
from .assignment_folders import AssignmentFolders
from .submission_files import has_stamp, read_receipt, submitted_at


@dataclass(frozen=True)
class Recorded:
    """What was recorded before this run."""

    folders: AssignmentFolders
    marks: Mapping[str, Mapping[str, Marks]]
    """The automatic marks by student and notebook."""
    times: Mapping[str, datetime | None]
    """When each student's submission was handed in, in UTC."""

    def is_current(self, student: str, tasks: Sequence[GradingTask]) -> bool:
        """Whether the autograded folder and the gradebook have the results of exactly this submission."""
        target, submitted = self.folders.autograded(student), self.folders.submitted(student)
        if read_receipt(target) != read_receipt(submitted):
            return False
        if submitted_at(submitted) != self.times.get(student):  # somebody has restored an old gradebook
            return False
        missing = missing_notebooks(tasks)
        return all(self._is_recorded(student, task, target, task.spec.name in missing) for task in tasks)

    def is_provisional(self, student: str) -> bool:
        """Whether a hidden test crashed on the student's last submission, so that its points are provisional."""
        found = [read_result(path) for path in self.folders.autograded(student).glob("*.ipynb")]
        return any(result.is_provisional for _, result in filter(None, found))

    def _is_recorded(self, student: str, task: GradingTask, target: Path, is_missing: bool) -> bool:
        recorded = self.marks.get(student, {}).get(task.spec.name)
        if is_missing:
            return recorded == dict.fromkeys((cell.grade_id for cell in task.spec.grade_cells), 0.0)
        found = read_result(target / f"{task.spec.name}.ipynb")
        if found is None or found[0] != task.key:
            return False
        result = found[1]
        if result.is_provisional:  # the command names the test each time, until it is fixed
            return False
        by_hand = {cell.grade_id for cell in task.spec.grade_cells if cell.manual}
        marks = {name: 0.0 if name in result.unanswered else None for name in by_hand} | result.marks
        return marks == recorded


def missing_notebooks(tasks: Sequence[GradingTask]) -> set[str]:
    """The notebooks missing from a submission that has another one. They get 0 points and no autograded file."""
    missing = {t.spec.name for t in tasks if isinstance(t.submitted, Unreadable) and t.submitted.is_missing}
    return missing if len(missing) < len(tasks) else set()


@dataclass
class Recorder:
    """Records submissions of one assignment, each as a whole or not at all."""

    folders: AssignmentFolders
    gradebook: CourseGradebook
    add_students: bool
    """Whether to add students that the gradebook does not know."""
    penalize: Callable[[str, str], None]
    """Lets nbgrader's plug-in set the late penalty of a student's notebook, by the names of both."""
    set_permissions: Callable[[str], None]
    """Gives a student's autograded folder the permissions that nbgrader is configured for."""
    log: Logger
    keep_times: bool = True
    """Whether autograded notebooks say how long grading took."""
    unpenalized: set[str] = field(default_factory=set)
    """Students whose penalty could not be set because the plug-in failed."""
    undated: set[str] = field(default_factory=set)
    """Students whose time stamp cannot be read."""

    def recorded(self, specs: Sequence[NotebookSpec]) -> Recorded:
        """What was recorded so far."""
        return Recorded(
            self.folders, self.gradebook.recorded(specs), self.gradebook.timestamps(self.folders.assignment)
        )

    def record(self, tasks: Sequence[GradingTask], student: str, results: Sequence[GradedNotebook]) -> None:
        """Record one graded submission and write its autograded folder.

        Args:
            tasks: the student's notebooks.
            student: the student's id.
            results: the result of each task.
        """
        graded = {task.spec.name: result for task, result in zip(tasks, results, strict=True)}
        target, submitted = self.folders.autograded(student), self.folders.submitted(student)
        target.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{self.folders.assignment}."
        remove_leftovers(target.parent, prefix)
        building = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
        try:
            # before the marks: a full disk fails here, and nothing is half recorded
            for name in graded.keys() - missing_notebooks(tasks):
                notebook = graded[name].notebook if self.keep_times else without_times(graded[name].notebook)
                write_atomically(building / f"{name}.ipynb", notebook.encode())
            self._write_beside(building, tasks[0].student_files)
            for other in target.glob("*.ipynb"):  # notebooks that this command was not asked for
                if other.stem not in graded:
                    shutil.copy(other, building)
            for name, content in read_receipt(submitted).items():  # `nbgrader release_feedback` needs them
                (building / name).write_bytes(content)
            when = submitted_at(submitted)
            if when is None and has_stamp(submitted):
                self.undated.add(student)
            self.remove_feedback(student)
            same = {name: same_cells(target / f"{name}.ipynb", one.notebook) for name, one in graded.items()}
            self.gradebook.record(
                student, self.folders.assignment, when, graded, same, self.add_students, self._penalize
            )
            if target.exists():
                shutil.rmtree(target)
            building.chmod(0o755)
            building.rename(target)
        finally:
            shutil.rmtree(building, ignore_errors=True)  # it only exists if something went wrong
        self.set_permissions(student)

    def _write_beside(self, target: Path, student_files: Mapping[str, bytes]) -> None:
        """Write the files beside the notebooks, as nbgrader does: the student's, and those of the source."""
        ignored = shutil.ignore_patterns("*.ipynb", *self.folders.ignored)
        shutil.copytree(self.folders.source, target, ignore=ignored, dirs_exist_ok=True)
        write_files(target, student_files)

    def update_penalties(self, students: Collection[str]) -> None:
        """Recompute the late penalties of these students: due dates and rules may have changed."""
        changed = self.gradebook.update_penalties(self.folders.assignment, students, self._penalize)
        for student in changed:
            self.remove_feedback(student)

    def remove_feedback(self, student: str) -> None:
        """Delete the outdated feedback page: ``nbgrader generate_feedback`` would keep it."""
        shutil.rmtree(self.folders.feedback(student), ignore_errors=True)

    def _penalize(self, student: str, notebook: str) -> None:
        try:
            self.penalize(student, notebook)
        except (SQLAlchemyError, InvalidEntry):  # the gradebook's
            raise
        except Exception as error:  # the plug-in's, for one student
            self.log.error("Submission of %s: the plug-in for penalties: %s: %s", student, type(error).__name__, error)
            self.unpenalized.add(student)


def remove_leftovers(folder: Path, prefix: str) -> None:
    """Remove the unfinished folders of a command that was killed."""
    for left in folder.glob(f"{escape(prefix)}*"):
        if "." not in left.name.removeprefix(prefix):  # with a dot, it belongs to an assignment whose name has one
            shutil.rmtree(left)


def same_cells(path: Path, notebook: str) -> set[str]:
    """The cells with the same points as in the autograded notebook at ``path``; none if the answers have changed.

    Args:
        path: the autograded notebook of an earlier run; it may be missing.
        notebook: the content of the new one.
    """
    if read_result(path) is None:
        return set()
    before, after = (json.loads(content)["cells"] for content in (path.read_bytes(), notebook))
    return {name for name, _ in _points(before) & _points(after)} if _answers(before) == _answers(after) else set()


def _answers(cells: list[Any]) -> list[Any]:
    return [(cell["source"], cell.get("attachments")) for cell in cells if is_students(cell)]


def _points(cells: list[Any]) -> set[tuple[str, float]]:
    found = [(cell_name(cell), cell["metadata"].get("nbgrader", {})) for cell in cells]
    return {(name, meta["points"]) for name, meta in found if "points" in meta}
