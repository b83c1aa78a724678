"""``nbgrader autograde`` and formgrader's button, with the judge in place of nbgrader's executed notebook.

nbgrader has no setting for the class behind its command, so :func:`use_judge` puts :class:`JudgedAutograde` where the
two modules that run it look it up. All options of ``nbgrader autograde`` keep their meaning.
"""

import contextlib
import fcntl
import functools
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from datetime import datetime
from glob import escape as glob_escape
from glob import glob
from pathlib import Path
from typing import Any

import nbformat
import nbgrader.apps.api
import nbgrader.apps.autogradeapp
from nbgrader.api import InvalidEntry, MissingEntry, SubmittedAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from ..assignment.cells import cell_name, is_own
from ..assignment.loader import check_points, load_assignment
from ..assignment.spec import NotebookSpec
from ..authoring.errors import AssignmentError, GradingFault
from ..authoring.result import Verdict
from ..execution.cache_key import cache_key, stamps_of_tests, versions
from ..execution.executors import Pool, Work, cluster_pool, cores, local_pool
from ..execution.result_cache import RESULTS, ResultCache, shrink
from ..execution.submission_files import STAMP, read_receipt, read_submitted, timestamp
from ..execution.worker import check_machine, grade_in_a_process_of_its_own
from ..files import PACKAGE, write_whole
from ..judge.annotate import read_result
from ..judge.rebuild import UnreadableNotebook
from ..judge.sandbox import check_protection, end_orphans, graphics_card, kernel_folder
from ..judge.task import GradedNotebook, GradingTask, Limits, figures_folder, is_whole, trainings_folder
from ..messages import set_language
from ..records.gradebook import CourseGradebook, Marks, due
from .settings import Settings

__all__ = ["JudgedAutograde", "use_judge"]

NewJob = Callable[[NotebookSpec, bytes | str], GradingTask]
"""Makes a job of a notebook and what was handed in."""


def use_judge() -> None:
    """Let ``nbgrader autograde`` and formgrader grade with :class:`JudgedAutograde`."""
    nbgrader.apps.autogradeapp.Autograde = JudgedAutograde
    nbgrader.apps.api.Autograde = JudgedAutograde
    CourseDirectory.get_existing_timestamp = timestamp  # of nbgrader's other commands and of formgrader, too
    SubmittedAssignment.duedate = property(due)


class JudgedAutograde(Settings):
    """Grades submissions with the kit's judge."""

    def init_notebooks(self) -> None:
        """Find the submissions: every matching folder counts, whatever is in it."""
        pattern = self._format_source(self.coursedir.assignment_id, self.coursedir.student_id)
        found = sorted(glob(pattern))
        folders = [folder for folder in found if Path(folder).is_dir()]
        for other in set(found).difference(folders):
            self.log.error("%s is no folder, or leads nowhere: it is left out", other)
        if not folders:
            message = f"No submissions were found in {pattern}"
            self.log.error(message)
            raise NbGraderException(message)
        self.assignments: dict[str, list[str]] = {folder: [] for folder in folders}

    def convert_notebooks(self) -> None:
        """Bring every student's result up to date: those that are missing, and those that something has outdated.

        Raises:
            NbGraderException: when the assignment is at fault (nothing was graded), or after a fault of the grader in
                some submissions (the others are graded).
        """
        try:
            with self._at_work() as (specs, new_job, pool):
                self._unpenalized: set[str] = set()
                faults = self._grade_class(specs, new_job, pool)
                for folder in (self._store.folder, trainings_folder(), figures_folder()):
                    shrink(folder, self.store_size)
        except (AssignmentError, BrokenExecutor, GradingFault, OSError, SQLAlchemyError) as error:
            self.log.error(str(error))
            self.log.debug("Where it was raised:", exc_info=error)
            raise NbGraderException(str(error)) from error
        except KeyboardInterrupt as error:
            message = "Interrupted: what was graded is kept, and the same command goes on with the rest"
            self.log.error(message)
            raise NbGraderException(message) from error
        messages = []
        if faults:
            messages.append(
                f"Not graded, through no fault of the student; nothing was recorded: {', '.join(sorted(faults))}"
            )
        if self._unpenalized:
            messages.append(f"Graded, but the penalty was not set: {', '.join(sorted(self._unpenalized))}")
        if messages:
            self.log.error("\n".join(messages))
            raise NbGraderException("\n".join(messages))

    def appeal(self, student: str) -> dict[str, GradedNotebook]:
        """Grade one student's submission from nothing, whatever is stored; nothing is recorded.

        Returns:
            The results by the name of the notebook.

        Raises:
            AssignmentError, BrokenExecutor or GradingFault: when it cannot be graded.
        """
        with self._at_work() as (specs, new_job, pool):
            self._check_reference(specs, new_job, pool)
            graded = pool.grade(self._jobs(student, specs, new_job))
            return dict(zip((spec.name for spec in specs), graded, strict=True))

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[tuple[list[NotebookSpec], NewJob, Pool]]:
        """All that grading needs: the notebooks of the assignment, a maker of jobs, and where to grade them.

        Raises:
            AssignmentError, BrokenExecutor or GradingFault: when there is no grading here.
        """
        self.check_settings()
        name = self.coursedir.assignment_id
        if self._source.name != name or not self._source.is_dir():  # '/' at its end, a pattern
            raise AssignmentError(f"there is no assignment {name!r}: no folder in {self._source.parent} is called so")
        set_language(self.language)
        if self.protection != "none":
            check_protection([Path(self.coursedir.root).resolve(), PACKAGE])
        self._find_device()
        graded = Path(self._format_dest(name, "*")).parents[1]
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._alone(graded))
            stack.callback(end_orphans)
            self._gradebook = stack.enter_context(
                CourseGradebook(self.coursedir.db_url, self.coursedir.course_id, self.log)
            )
            self._store = ResultCache(graded / RESULTS)
            shared = graded if self.scheduler else None  # a cluster sees the course's folder, not this /tmp
            room = stack.enter_context(_room(shared)).resolve()
            here = versions()
            pool = stack.enter_context(self._pool(room, here))
            specs = self._specs()
            yield specs, self._furnish(room, specs, here), pool

    def _find_device(self) -> None:
        """Train on the CPU where there is no graphics card that works, and say so; a cluster's workers see to that."""
        if self.device == "cuda" and not self.scheduler:
            try:
                self.log.info("Models are trained on %s", graphics_card(self.protection))
            except GradingFault as error:
                self.log.warning(
                    "c.JudgedAutograde.device: no graphics card: models are trained on the CPU (%s)", error
                )
                self.device = "cpu"

    @contextlib.contextmanager
    def _alone(self, folder: Path) -> Iterator[None]:
        """Keep out a second command on the same assignment, as long as this process lives."""
        assignment = self.coursedir.assignment_id
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f".{assignment}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise AssignmentError(
                    f"another 'nbgrader autograde {assignment}' is at work here ({file.name}): wait for its end"
                ) from error
            yield

    # -- the assignment ----------------------------------------------------------------------------------------------

    def _specs(self) -> list[NotebookSpec]:
        """The notebooks of the assignment, checked against the gradebook."""
        name = self.coursedir.assignment_id
        tests = Path(self.coursedir.root, self.hidden_tests, name).resolve()
        specs = load_assignment(self._source, tests, self.coursedir.notebook_id, self.config)
        if self.coursedir.notebook_id == "*":
            self._gradebook.check_notebooks(name, {spec.name for spec in specs})
        for spec in specs:
            self._gradebook.check(spec)
        return specs

    @property
    def _source(self) -> Path:
        """The folder of the source notebooks."""
        name = self.coursedir.assignment_id
        return Path(self.coursedir.format_path(self.coursedir.source_directory, ".", name)).resolve()

    def _pool(self, room: Path, here: list[str]) -> Pool:
        """Where submissions are graded: with the versions ``here``; ``room`` has what kernels see."""
        if self.scheduler:
            seen = [room / "library", trainings_folder()]
            check = functools.partial(check_machine, self.protection, seen, here)
            start = functools.partial(cluster_pool, self.scheduler, check)
            return Pool(start, functools.partial(grade_in_a_process_of_its_own, check))
        needed = min(self._workers, max(1, len(self.assignments)))
        return Pool(functools.partial(local_pool, needed, None if self.protection == "none" else room))

    @property
    def _workers(self) -> int:
        return self.workers or cores()

    def _furnish(self, room: Path, specs: list[NotebookSpec], here: list[str]) -> NewJob:
        """Put what kernels see into ``library`` and ``files`` of ``room``; the versions ``here`` grade."""
        threads = 1 if self.scheduler else max(1, cores() // self._workers)
        limits = Limits(**{"threads": threads} | self.limits)
        library = kernel_folder(room / "library")
        hidden = self.coursedir.ignore  # students never get what nbgrader is told to ignore: a table of answers
        shutil.copytree(self._source, room / "files", ignore=shutil.ignore_patterns("*.ipynb", ".*", *hidden))
        settings = {name: getattr(self, name) for name in ("language", "protection", "device")}
        settings |= {"once": str(self.train_once), "ignore": " ".join(sorted(hidden))}

        self._tests = stamps_of_tests(specs)
        trainings = trainings_folder()
        starts_of_keys = {spec.name: cache_key(spec, self._source, limits, here, **settings) for spec in specs}

        def job(spec: NotebookSpec, submitted: bytes | str) -> GradingTask:
            content = submitted if isinstance(submitted, bytes) else f"!{submitted}".encode()
            key = hashlib.sha256(starts_of_keys[spec.name].encode() + content).hexdigest()
            return GradingTask(
                spec, submitted, library, trainings, limits, self.language, self.protection, self.device,
                room / "files", train_once=self.train_once, key=key,
            )  # fmt: skip

        return job

    def _check_reference(self, specs: list[NotebookSpec], new_job: NewJob, pool: Pool) -> None:
        """Grade the instructor's own notebooks: they must earn every point, and leave their trainings behind."""
        for spec in specs:
            as_students = new_job(spec, nbformat.writes(spec.source).encode())
            job = replace(as_students, reference=True, key=f"{as_students.key}-source", train_once=True)
            graded = self._store.get(job.key)
            if graded is not None and all(is_whole(job.trainings / name) for name in graded.trainings):
                continue
            self.log.info("Grading the source notebook %s (its models are trained if they are not yet)", spec.name)
            try:
                if "threads" not in self.limits:  # nothing else runs yet
                    every_core = 0 if self.scheduler else cores()
                    job = replace(job, limits=replace(job.limits, threads=every_core))
                [graded] = pool.grade([job])
                stopped = self._check_result(spec, graded)
                if self.train_once and job.limits.threads > as_students.limits.threads:  # students have less time
                    stopped += self._check_result(spec, *pool.grade([as_students]))
            except GradingFault as error:
                raise AssignmentError(f"No submission was graded. {error}") from error
            for line in dict.fromkeys(stopped):
                self.log.warning("%s", line)
            self.log.info("The source notebook earns %g/%g", graded.result.score, graded.result.points)
            self._keep(job.key, graded, specs)

    def _check_result(self, spec: NotebookSpec, graded: GradedNotebook) -> list[str]:
        """The cells of a source notebook that stopped, all of whose hidden tests have passed."""
        check_points(spec, graded.result.cells)
        lost = [f"{cell.grade_id}: {line}" for cell in graded.result.cells for line in cell.lost]
        raised = [
            f"{spec.name}.ipynb, cell '{cell.metadata.nbgrader.grade_id}' stopped: {output.ename}: {output.evalue}"
            for cell in nbformat.reads(graded.notebook, as_version=4).cells
            if "nbgrader" in cell.metadata
            for output in cell.get("outputs", [])
            if output.output_type == "error"
        ]
        if lost:
            slow = any(test.verdict is Verdict.TIMEOUT for cell in graded.result.cells for test in cell.tests)
            raise AssignmentError(
                f"The source notebook {spec.name} does not pass its own hidden tests. No submission was graded.\n"
                + "\n".join([*raised, *lost])
                + "\nc.JudgedAutograde.limits in nbgrader_config.py gives more time" * slow
            )
        return raised

    # -- the submissions ---------------------------------------------------------------------------------------------

    def _grade_class(self, specs: list[NotebookSpec], new_job: NewJob, pool: Pool) -> list[str]:
        """Bring the results of all students up to date; returns those in whose submission the grader failed."""
        self._check_reference(specs, new_job, pool)
        students = list(self._students())
        groups: dict[str, list[str]] = {}  # equal submissions are graded once
        recorded = self._gradebook.recorded(specs)
        stamps = self._gradebook.timestamps(self.coursedir.assignment_id)
        for student in students:
            jobs = self._jobs(student, specs, new_job)
            if self.force or not self._is_current(student, jobs, recorded.get(student, {}), stamps.get(student)):
                groups.setdefault(_group(jobs), []).append(student)
        total = sum(map(len, groups.values()))
        self.log.info("%d submissions, %d of them graded already", len(students), len(students) - total)
        faults: list[str] = []
        counts: Counter[str] = Counter()
        with tqdm(total=total, unit="submission", desc="Grading", disable=total == 0) as bar:
            for keys_of_group, outcome in self._outcomes(groups, specs, new_job, pool):
                for student in groups[keys_of_group]:
                    try:
                        if isinstance(outcome, Exception):
                            raise outcome
                        self._finish(student, specs, outcome)
                        for spec, one in zip(specs, outcome, strict=True):
                            counts.update(t.verdict.value for cell in one.result.cells for t in cell.tests)
                            if why := one.result.unreadable:
                                self.log.warning("Submission of %s: %s.ipynb: %s", student, spec.name, why)
                    except Exception as error:  # the others go on; this one is reported at the end
                        traceback = not isinstance(error, GradingFault | MissingEntry | OSError | SQLAlchemyError)
                        self.log.error("Submission of %s: %s", student, error, exc_info=traceback)
                        faults.append(student)
                    bar.set_postfix(counts)
                    bar.update()
        of_before = set(students).difference(*groups.values())
        for student in self._gradebook.update_penalties(self.coursedir.assignment_id, of_before, self._penalize):
            self._remove_feedback(student)
        return faults

    def _outcomes(
        self, groups: dict[str, list[str]], specs: list[NotebookSpec], new_job: NewJob, pool: Pool
    ) -> Iterator[tuple[str, list[GradedNotebook] | Exception]]:
        """The result of each group of equal submissions, from the store or graded now, or why there is none."""
        missing, changed = [], []
        for group in groups:
            found = [] if self.force else [self._store.get(key) for key in group.split()]
            if found and None not in found:
                yield group, [one for one in found if one is not None]
            else:
                missing.append(group)

        def work() -> Iterator[Work]:
            for group in missing:
                of_each = (self._jobs(student, specs, new_job) for student in groups[group])
                jobs = next((jobs for jobs in of_each if _group(jobs) == group), None)
                if jobs is None:
                    changed.append(group)
                else:
                    yield group, jobs

        for group, outcome in pool.grade_all(work()) if missing else ():
            if not isinstance(outcome, Exception):
                for key, graded in zip(group.split(), outcome, strict=True):
                    self._keep(key, graded, specs)
            yield group, outcome
        for group in changed:
            yield group, GradingFault("it was handed in anew while the class was graded: run the command again")

    def _keep(self, key: str, graded: GradedNotebook, specs: list[NotebookSpec]) -> None:
        """Store a result.

        Raises:
            AssignmentError: if a hidden test was edited since the key was made: after an undo, it would be taken for
                the result of the old one.
        """
        edited = sorted({str(path) for path, _ in stamps_of_tests(specs).items() ^ self._tests.items()})
        if edited:
            raise AssignmentError(f"edited while the class was graded, run the command again: {', '.join(edited)}")
        self._store.put(key, graded)

    def _students(self) -> Iterator[str]:
        """The students who handed something in."""
        pattern = self._format_source(re.escape(self.coursedir.assignment_id), "(?P<student>[^/]+)", escape=True)
        excluded = self.coursedir.student_id_exclude.split(",")
        for folder in self.assignments:
            match = re.fullmatch(pattern, folder)
            assert match is not None, f"{folder} does not match {pattern}"
            if match["student"] in excluded:
                continue
            if not match["student"].isprintable():  # nbgrader's other commands would stop at it; half letters, too
                self.log.error("%r: nobody can be called that, rename the folder; it is left out", folder)
                continue
            yield match["student"]

    def _jobs(self, student: str, specs: list[NotebookSpec], new_job: NewJob) -> list[GradingTask]:
        """What has to be done for a student, by what is handed in now."""
        folder = Path(self._format_source(self.coursedir.assignment_id, student))
        jobs = []
        for spec in specs:
            try:
                submitted: bytes | str = read_submitted(folder / f"{spec.name}.ipynb", self._source)
            except UnreadableNotebook as error:
                submitted = str(error)
            jobs.append(new_job(spec, submitted))
        return jobs

    def _is_current(
        self, student: str, jobs: list[GradingTask], recorded: dict[str, Marks], recorded_stamp: datetime | None
    ) -> bool:
        """Whether a student's autograded folder and the gradebook hold just the results of just this submission."""
        assignment = self.coursedir.assignment_id
        target = Path(self._format_dest(assignment, student))
        handed_in = Path(self._format_source(assignment, student))
        if read_receipt(target) != read_receipt(handed_in):
            return False
        if timestamp(self.coursedir, str(handed_in)) != recorded_stamp:  # an old gradebook was put back
            return False
        for job in jobs:
            found = read_result(target / f"{job.spec.name}.ipynb")
            if found is None or found[0] != job.key:
                return False
            by_hand = {cell.grade_id for cell in job.spec.grade_cells if cell.manual}
            marks = {name: 0.0 if name in found[1].unanswered else None for name in by_hand} | found[1].marks
            if marks != recorded.get(job.spec.name):
                return False
        return True

    def _finish(self, student: str, specs: list[NotebookSpec], graded: list[GradedNotebook]) -> None:
        """Record one graded submission and write its autograded folder."""
        assignment = self.coursedir.assignment_id
        by_name = {spec.name: one for spec, one in zip(specs, graded, strict=True)}
        target = Path(self._format_dest(assignment, student))
        target.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{assignment}."
        for left in target.parent.glob(f"{glob_escape(prefix)}*"):  # by a command that was killed
            if "." not in left.name.removeprefix(prefix):  # else of an assignment with a dot in its name
                shutil.rmtree(left)
        building = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
        try:
            for name, one in by_name.items():  # before the marks: what fails, fails here
                write_whole(building / f"{name}.ipynb", one.notebook.encode())
            for other in target.glob("*.ipynb"):  # notebooks that this command was not asked for
                if other.stem not in by_name:
                    shutil.copy(other, building)
            handed_in = self._format_source(assignment, student)
            for name, content in read_receipt(Path(handed_in)).items():  # `nbgrader release_feedback` needs it
                (building / name).write_bytes(content)
            when = timestamp(self.coursedir, handed_in)
            if when is None and os.path.lexists(Path(handed_in, STAMP)):
                self.log.warning(
                    "Submission of %s: its %s says no time in a known zone (UTC or Europe/Paris is one): "
                    "it counts as never late", student, STAMP
                )  # fmt: skip
            self._remove_feedback(student)
            same = {name: _same_cells(target / f"{name}.ipynb", one.notebook) for name, one in by_name.items()}
            self._gradebook.record(student, assignment, when, by_name, same, self.create_student, self._penalize)
            if target.exists():
                shutil.rmtree(target)
            building.chmod(0o755)
            building.rename(target)
        finally:
            shutil.rmtree(building, ignore_errors=True)  # only there when something went wrong
        self.set_permissions(assignment, student)

    def set_permissions(self, assignment_id: str, student_id: str) -> None:
        """Nbgrader's own, without its line in the log, which would break the progress bar at each student."""
        log, self.log = self.log, logging.getLogger(__name__)
        try:
            super().set_permissions(assignment_id, student_id)
        finally:
            self.log = log

    def _remove_feedback(self, student: str) -> None:
        """Remove a page with other marks than those to come: ``nbgrader generate_feedback`` would keep it."""
        folder = self.coursedir.format_path(self.coursedir.feedback_directory, student, self.coursedir.assignment_id)
        shutil.rmtree(folder, ignore_errors=True)

    def _penalize(self, student: str, notebook_id: str) -> None:
        """Let nbgrader's plug-in decide on a late submission."""
        names = {"student": student, "assignment": self.coursedir.assignment_id, "notebook": notebook_id}
        resources: dict[str, Any] = {"nbgrader": names | {"db_url": self.coursedir.db_url}}
        try:
            AssignLatePenalties(parent=self).preprocess(nbformat.v4.new_notebook(), resources)
        except (SQLAlchemyError, InvalidEntry):  # the gradebook's
            raise
        except Exception as error:  # the plug-in's, for one student
            self.log.error("Submission of %s: the plug-in for penalties: %s: %s", student, type(error).__name__, error)
            self._unpenalized.add(student)


def _same_cells(path: Path, notebook: str) -> set[str]:
    """The cells with the points that they have in the judge's notebook at ``path``; none if it has other answers."""
    if read_result(path) is None:
        return set()
    before, after = (json.loads(content)["cells"] for content in (path.read_bytes(), notebook))
    return {name for name, _ in _points(before) & _points(after)} if _answers(before) == _answers(after) else set()


def _answers(cells: list[Any]) -> list[Any]:
    return [(cell["source"], cell.get("attachments")) for cell in cells if is_own(cell)]


def _points(cells: list[Any]) -> set[tuple[str, float]]:
    found = [(cell_name(cell), cell["metadata"].get("nbgrader", {})) for cell in cells]
    return {(name, meta["points"]) for name, meta in found if "points" in meta}


@contextlib.contextmanager
def _room(beside: Path | None) -> Iterator[Path]:
    """A temporary folder for what kernels see; those of commands that were killed are removed."""
    for lock in Path(beside or tempfile.gettempdir()).glob(".room*/.lock"):
        with contextlib.suppress(OSError), lock.open("r+") as file:  # of a command at work, or of somebody else
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent)
    with tempfile.TemporaryDirectory(prefix=".room", dir=beside) as name, Path(name, ".new").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        Path(file.name).rename(Path(name, ".lock"))  # a lock that nobody holds is never seen
        yield Path(name)


def _group(jobs: list[GradingTask]) -> str:
    """What equal submissions have in common."""
    return " ".join(job.key for job in jobs)
