"""Grade a class in one assignment: find the submissions, plan, execute, record."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from logging import Logger
from pathlib import Path
from typing import Protocol

import nbformat
from nbgrader.api import MissingEntry
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from ..assignment.spec import NotebookSpec
from ..judge.read_notebook import UnreadableNotebook
from ..judge.task import GradedNotebook, GradingTask, Unreadable, figures_folder, trainings_folder
from ..results.errors import AssignmentError, GraderError
from ..results.result import Verdict
from .assignment_folders import AssignmentFolders
from .cache_key import times_of_tests
from .recorder import Recorder
from .result_cache import ResultCache, shrink
from .run_settings import RunSettings
from .source_check import SourceCheck
from .submission_files import MissingNotebook, read_beside, read_submitted
from .worker_pool import Keys, Work, WorkerPool


class NewTask(Protocol):
    """Makes a task from a notebook and what was handed in."""

    def __call__(
        self, spec: NotebookSpec, submitted: bytes | Unreadable, student_files: Mapping[str, bytes] | None = None
    ) -> GradingTask:
        """The task; ``student_files`` is content by path."""


HANDED_IN_AGAIN = "it was resubmitted during grading: run the command again"


@dataclass
class EqualSubmissions:
    """Equal submissions, which are graded once."""

    keys: Keys
    students: list[str]


@dataclass
class Plan:
    """What a run has to do."""

    current: list[str] = field(default_factory=list)
    """Students whose marks are up to date."""
    outdated: dict[Keys, EqualSubmissions] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """The number of submissions to bring up to date."""
        return sum(len(group.students) for group in self.outdated.values())


@dataclass
class RunSummary:
    """The problems of a run. Students are named by their ids."""

    not_graded: list[str] = field(default_factory=list)
    """The grader failed on their submissions; nothing was recorded."""
    unpenalized: set[str] = field(default_factory=set)
    """Graded, but the plug-in for late penalties failed."""
    undated: set[str] = field(default_factory=set)
    """Graded, but their time stamp cannot be read: they count as on time."""
    faulty_tests: dict[str, list[str]] = field(default_factory=dict)
    """By location of a hidden test that stopped: the students. They get no points for it until it is fixed."""


@dataclass
class ClassRun:
    """A run over the submissions of one assignment, and what it needs."""

    folders: AssignmentFolders
    settings: RunSettings
    specs: Sequence[NotebookSpec]
    new_task: NewTask
    pool: WorkerPool
    cache: ResultCache
    recorder: Recorder
    stamps: Mapping[Path, int]
    """When each file of the hidden tests was last changed, in ns. This is read before the keys are made."""
    log: Logger

    def run(self, students: Sequence[str]) -> RunSummary:
        """Bring the marks of these students up to date. Missing and outdated submissions are graded.

        Raises:
            AssignmentError: if the source notebook does not earn all its points, or if a hidden test is edited.
        """
        self.check_source()
        plan = self.plan(students)
        self.log.info("%d submissions, %d of them graded already", len(students), len(students) - plan.total)
        summary = RunSummary()
        with tqdm(total=plan.total, unit="submission", desc="Grading", disable=plan.total == 0) as bar:
            verdicts: Counter[str] = Counter()
            for group, graded in self.execute(plan):
                for student in group.students:
                    self.record(student, group.keys, graded, summary, verdicts)
                    bar.set_postfix(verdicts)
                    bar.update()
        self.recorder.update_penalties(plan.current)
        summary.unpenalized, summary.undated = self.recorder.unpenalized, self.recorder.undated
        for folder in (self.cache.folder, trainings_folder(), figures_folder()):
            shrink(folder, self.settings.cache_size)
        return summary

    def check_source(self) -> None:
        """Grade the instructor's own notebooks."""
        check = SourceCheck(self.settings, self.pool, self.cache, self._keep, self.log)
        for spec in self.specs:
            check.check(self.new_task(spec, nbformat.writes(spec.solved).encode()))

    def tasks(self, student: str) -> list[GradingTask]:
        """One task for each notebook of the student's submission, as it is now."""
        tasks = []
        folder = self.folders.submitted(student)
        beside = self.files_beside(student)
        for spec in self.specs:
            try:
                submitted: bytes | Unreadable = read_submitted(folder / f"{spec.name}.ipynb", self.folders.source)
            except UnreadableNotebook as error:
                submitted = Unreadable(str(error), isinstance(error, MissingNotebook))
            tasks.append(self.new_task(spec, submitted, beside))
        return tasks

    def files_beside(self, student: str) -> dict[str, bytes]:
        """The files that the student handed in beside the notebooks, by path; none if they are too large."""
        source, ignored = self.folders.source, self.folders.ignored
        try:
            return read_beside(self.folders.submitted(student), ignored, source, self.settings.students_files)
        except ValueError as error:
            self.log.warning("Submission of %s: %s: they are left out", student, error)
            return {}

    def plan(self, students: Sequence[str]) -> Plan:
        """Find out which submissions are outdated, and which of them are equal."""
        plan = Plan()
        recorded = self.recorder.recorded(self.specs)
        for student in students:
            tasks = self.tasks(student)
            if not self.settings.force and recorded.is_current(student, tasks):
                plan.current.append(student)
            else:
                keys = keys_of(tasks)
                plan.outdated.setdefault(keys, EqualSubmissions(keys, [])).students.append(student)
        # first those on which a hidden test crashed: its author is waiting to see whether the fix works
        first = {keys for keys, group in plan.outdated.items() if any(map(recorded.is_provisional, group.students))}
        plan.outdated = dict(sorted(plan.outdated.items(), key=lambda item: item[0] not in first))
        return plan

    def execute(self, plan: Plan) -> Iterator[tuple[EqualSubmissions, list[GradedNotebook] | Exception]]:
        """The results of each group of equal submissions, from the cache or newly graded, or the error."""
        missing = []
        for group in plan.outdated.values():
            found = [] if self.settings.force else [self.cache.get(key) for key in group.keys]
            if found and None not in found:
                yield group, [one for one in found if one is not None]
            else:
                missing.append(group)
        changed: list[EqualSubmissions] = []
        for keys, graded in self.pool.grade_all(self._work(missing, changed)) if missing else ():
            if not isinstance(graded, Exception):
                for key, one in zip(keys, graded, strict=True):
                    self._keep(key, one)
            yield plan.outdated[keys], graded
        for group in changed:
            yield group, GraderError(HANDED_IN_AGAIN)

    def _work(self, groups: Sequence[EqualSubmissions], changed: list[EqualSubmissions]) -> Iterator[Work]:
        """The tasks of each group. Submissions are read lazily, so that few of them are in memory at once."""
        for group in groups:
            candidates = (self.tasks(student) for student in group.students)
            tasks = next((tasks for tasks in candidates if keys_of(tasks) == group.keys), None)
            if tasks is None:
                changed.append(group)
            else:
                yield group.keys, tasks

    def record(
        self,
        student: str,
        keys: Keys,
        graded: list[GradedNotebook] | Exception,
        summary: RunSummary,
        verdicts: Counter[str],
    ) -> None:
        """Record the results of one student. A failure is reported at the end and does not stop the others."""
        try:
            if isinstance(graded, Exception):
                raise graded
            tasks = self.tasks(student)
            if keys_of(tasks) != keys:
                raise GraderError(HANDED_IN_AGAIN)
            self.recorder.record(tasks, student, graded)
        except Exception as error:
            expected = isinstance(error, GraderError | MissingEntry | OSError | SQLAlchemyError)
            self.log.error("Submission of %s: %s", student, error, exc_info=not expected)
            summary.not_graded.append(student)
            return
        for spec, one in zip(self.specs, graded, strict=True):
            verdicts.update(test.verdict.value for test in one.result.tests)
            for note in {test.note for test in one.result.tests if test.verdict is Verdict.TEST_CRASHED}:
                summary.faulty_tests.setdefault(note, []).append(student)
            if why := one.result.unreadable:
                self.log.warning("Submission of %s: %s.ipynb: %s", student, spec.name, why)

    def _keep(self, key: str, graded: GradedNotebook) -> None:
        """Store a result. If it cannot be stored, it is graded again next time.

        Raises:
            AssignmentError: if a hidden test was edited after the key was made, because undoing the edit later would
                reuse this result for the old test.
        """
        edited = sorted({str(path) for path, _ in times_of_tests(self.specs).items() ^ self.stamps.items()})
        if edited:
            raise AssignmentError(f"hidden tests changed during grading, run the command again: {', '.join(edited)}")
        if graded.result.is_provisional:
            return
        try:
            self.cache.put(key, graded)
        except OSError as error:
            self.log.warning("A result cannot be stored in the cache: %s", error)


def keys_of(tasks: Sequence[GradingTask]) -> Keys:
    """The keys of all notebooks of a submission."""
    return tuple(task.key for task in tasks)
