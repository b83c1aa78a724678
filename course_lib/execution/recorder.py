"""Records graded submissions: marks in the gradebook, the autograded folder, late penalties."""

import json
import os
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

from ..assignment.cells import cell_name, is_own
from ..assignment.spec import NotebookSpec
from ..files import write_whole
from ..judge.annotate import read_result
from ..judge.task import GradedNotebook, GradingTask
from ..records.database import Marks
from ..records.gradebook import CourseGradebook
from .assignment_folders import AssignmentFolders
from .submission_files import STAMP, read_receipt, submitted_at


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
        target, handed_in = self.folders.autograded(student), self.folders.submitted(student)
        if read_receipt(target) != read_receipt(handed_in):
            return False
        if submitted_at(handed_in) != self.times.get(student):  # somebody has restored an old gradebook
            return False
        return all(self._is_recorded(student, task, target) for task in tasks)

    def _is_recorded(self, student: str, task: GradingTask, target: Path) -> bool:
        found = read_result(target / f"{task.spec.name}.ipynb")
        if found is None or found[0] != task.key:
            return False
        result = found[1]
        if result.is_provisional:  # the command names the test each time, until it is fixed
            return False
        by_hand = {cell.grade_id for cell in task.spec.grade_cells if cell.manual}
        marks = {name: 0.0 if name in result.unanswered else None for name in by_hand} | result.marks
        return marks == self.marks.get(student, {}).get(task.spec.name)


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
    unpenalized: set[str] = field(default_factory=set)
    """Students whose penalty could not be set because the plug-in failed."""

    def recorded(self, specs: Sequence[NotebookSpec]) -> Recorded:
        """What was recorded so far."""
        return Recorded(
            self.folders, self.gradebook.recorded(specs), self.gradebook.timestamps(self.folders.assignment)
        )

    def record(self, student: str, graded: Mapping[str, GradedNotebook]) -> None:
        """Record one graded submission and write its autograded folder.

        Args:
            student: the student's id.
            graded: the results by name of notebook.
        """
        target, handed_in = self.folders.autograded(student), self.folders.submitted(student)
        target.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{self.folders.assignment}."
        remove_leftovers(target.parent, prefix)
        building = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
        try:
            for name, one in graded.items():  # before the marks: a full disk fails here, and nothing is half recorded
                write_whole(building / f"{name}.ipynb", one.notebook.encode())
            for other in target.glob("*.ipynb"):  # notebooks that this command was not asked for
                if other.stem not in graded:
                    shutil.copy(other, building)
            for name, content in read_receipt(handed_in).items():  # `nbgrader release_feedback` needs them
                (building / name).write_bytes(content)
            when = submitted_at(handed_in)
            if when is None and os.path.lexists(handed_in / STAMP):
                self.log.warning(
                    "Submission of %s: its %s has no time in a known time zone (such as UTC or Europe/Paris), "
                    "so it counts as on time", student, STAMP
                )  # fmt: skip
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
    return [(cell["source"], cell.get("attachments")) for cell in cells if is_own(cell)]


def _points(cells: list[Any]) -> set[tuple[str, float]]:
    found = [(cell_name(cell), cell["metadata"].get("nbgrader", {})) for cell in cells]
    return {(name, meta["points"]) for name, meta in found if "points" in meta}
