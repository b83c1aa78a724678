"""``nbgrader autograde`` and formgrader's button, with the judge in place of nbgrader's executed notebook.

nbgrader has no setting for the class behind its command, so :func:`use_judge` puts :class:`JudgedAutograde` where the
two modules that run it look it up. All options of ``nbgrader autograde`` keep their meaning.
"""

import contextlib
import fcntl
import functools
import multiprocessing
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import fields, replace
from fnmatch import fnmatch
from glob import glob
from pathlib import Path
from typing import Any, TypeVar, get_args

import nbformat
import nbgrader.apps.api
import nbgrader.apps.autogradeapp
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import AssignLatePenalties, LimitOutput
from sqlalchemy.exc import OperationalError
from tqdm import tqdm
from traitlets import Dict, Enum, Integer, Unicode

from ..messages import language
from .assignment import NotebookSpec, load_notebook_spec
from .errors import AssignmentError, GradingFault, ProtectionError
from .feedback import METADATA, annotate
from .job import Graded, Job, Limits, Protection, trainings_folder
from .record import record
from .release import PACKAGE
from .result import Verdict
from .sandbox import check_protection, kernel_folder
from .worker import grade_submission, points_of, start_worker

__all__ = ["JudgedAutograde", "use_judge"]

PATIENCE = 60
"""Seconds to wait for a gradebook that another program has locked."""

T = TypeVar("T")


def use_judge() -> None:
    """Let ``nbgrader autograde`` and formgrader grade with :class:`JudgedAutograde`."""
    nbgrader.apps.autogradeapp.Autograde = JudgedAutograde
    nbgrader.apps.api.Autograde = JudgedAutograde


class JudgedAutograde(Autograde):
    """Grades submissions with the kit's judge."""

    hidden_tests = Unicode("grader_tests", help="Folder of the hidden tests, in the course's root.").tag(config=True)
    language = Unicode(language(), help="Language of the feedback: fr or en.").tag(config=True)
    workers = Integer(0, help="Submissions graded at the same time; 0: one for each core.").tag(config=True)
    protection = Enum(
        get_args(Protection), "bubblewrap", help="What students' code runs in; 'none' only for notebooks you trust."
    ).tag(config=True)
    limits = Dict(
        help=f"What a submission may use; any of {', '.join(field.name for field in fields(Limits))}: "
        "course_lib/grading/job.py says what each is."
    ).tag(config=True)

    def init_notebooks(self) -> None:
        """Find the submissions: every matching folder counts, whatever is in it."""
        pattern = self._format_source(self.coursedir.assignment_id, self.coursedir.student_id)
        folders = sorted(folder for folder in glob(pattern) if Path(folder).is_dir())
        if not folders:
            message = f"No submissions were found in {pattern}"
            self.log.error(message)
            raise NbGraderException(message)
        self.assignments: dict[str, list[str]] = {folder: [] for folder in folders}

    def convert_notebooks(self) -> None:
        """Grade every submission that is not graded yet.

        Raises:
            NbGraderException: when the assignment is at fault (nothing was graded), or after a fault of the grader in
                some submissions (the others are graded).
        """
        try:
            if self.protection != "none":
                check_protection([Path(self.coursedir.root).resolve(), PACKAGE])
            workers = self.workers or os.cpu_count() or 1
            with self._alone(), tempfile.TemporaryDirectory(prefix="course_lib") as name:
                folder = Path(name)
                room = self._room(folder, workers)
                start = functools.partial(_workers, workers, None if self.protection == "none" else folder)
                with start() as executor:
                    specs = self._specs(executor)
                    self._check_reference(specs, room, executor)
                    faults, lost = self._grade_all(specs, room, executor, list(self._students()))
                while lost:  # a worker died over one of them: each again, alone, to find out which
                    with start() as executor:
                        dead: list[str] = []
                        while lost and not dead:
                            again, dead = self._grade_all(specs, room, executor, [lost.pop(0)])
                            faults += again + dead
                    for name in dead:
                        self.log.error(
                            "Submission of %s: its worker was killed twice, perhaps for want of memory", name
                        )
        except (AssignmentError, BrokenExecutor, GradingFault, ProtectionError) as error:
            self.log.error(str(error))
            raise NbGraderException(str(error)) from error
        if faults:
            message = "Not graded, through no fault of the student; nothing was recorded: " + ", ".join(sorted(faults))
            self.log.error(message)
            raise NbGraderException(message)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep out a second command on the same assignment, as long as this process lives."""
        assignment = self.coursedir.assignment_id
        folder = Path(self._format_dest(assignment, "*")).parents[1]
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f".{assignment}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise AssignmentError(
                    f"another 'nbgrader autograde {assignment}' is at work here ({file.name}): wait for its end"
                ) from error
            yield

    def _with_gradebook(self, action: Callable[[Gradebook], T]) -> T:
        """What ``action`` returns for the gradebook, once no other program locks it.

        Raises:
            GradingFault: if it stays locked.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
                    return action(gradebook)
            except OperationalError as error:
                if "locked" not in str(error):
                    raise
                if time.monotonic() > deadline:
                    raise GradingFault(
                        f"{self.coursedir.db_url} is locked by another program: close it, then run the command again"
                    ) from error
                self.log.warning("The gradebook is locked by another program; waiting")
                time.sleep(1)

    # -- the assignment ----------------------------------------------------------------------------------------------

    def _specs(self, executor: Executor) -> list[NotebookSpec]:
        """The notebooks of the assignment, checked against their hidden tests and the gradebook."""
        name = self.coursedir.assignment_id
        source = Path(self.coursedir.format_path(self.coursedir.source_directory, ".", name)).resolve()
        tests = Path(self.coursedir.root, self.hidden_tests, name).resolve()
        specs = [
            load_notebook_spec(path, tests)
            for path in sorted(source.glob("*.ipynb"))
            if fnmatch(path.stem, self.coursedir.notebook_id)
        ]
        if not specs:
            raise AssignmentError(f"{source}: no notebook matches '{self.coursedir.notebook_id}'")
        for spec in specs:
            self._check_points(spec, executor)
            self._check_gradebook(spec)
        return specs

    def _check_points(self, spec: NotebookSpec, executor: Executor) -> None:
        found = executor.submit(points_of, list(spec.tests.values())).result()
        for cell in spec.automatic:
            points = found.get(cell.grade_id, 0)
            if points != cell.points:
                raise AssignmentError(
                    f"{spec.tests[cell.grade_id]}: its tests add up to {points:g} points, "
                    f"the cell '{cell.grade_id}' of {spec.name}.ipynb has {cell.points:g}"
                )

    def _check_gradebook(self, spec: NotebookSpec) -> None:
        advice = f"run 'nbgrader generate_assignment {spec.assignment} --force' first"

        def grade_cells(gradebook: Gradebook) -> dict[str, float]:
            notebook = gradebook.find_notebook(spec.name, spec.assignment)
            return {cell.name: cell.max_score for cell in notebook.grade_cells}

        try:
            known = self._with_gradebook(grade_cells)
        except MissingEntry as error:
            raise AssignmentError(f"The gradebook does not know {spec.assignment}/{spec.name}: {advice}") from error
        if known != {cell.grade_id: cell.points for cell in spec.grade_cells}:
            raise AssignmentError(
                f"The gradebook has other grade cells than {spec.assignment}/{spec.name}.ipynb: {advice}"
            )

    def _room(self, folder: Path, workers: int) -> Callable[[NotebookSpec, bytes], Job]:
        """Put what kernels see into ``library`` and ``files`` of ``folder``.

        Returns:
            What makes a job of a notebook and the bytes handed in.
        """
        try:
            limits = Limits(**{"threads": max(1, (os.cpu_count() or 1) // workers)} | self.limits)
        except TypeError as error:
            raise AssignmentError(f"c.JudgedAutograde.limits: {error}") from error
        library = kernel_folder(folder / "library")
        source = Path(self.coursedir.format_path(self.coursedir.source_directory, ".", self.coursedir.assignment_id))
        files = folder / "files"
        shutil.copytree(source, files, ignore=shutil.ignore_patterns("*.ipynb", ".*"))
        trainings = trainings_folder()

        def job(spec: NotebookSpec, submitted: bytes) -> Job:
            return Job(spec, submitted, library, trainings, limits, self.language, self.protection, files)

        return job

    def _check_reference(
        self, specs: list[NotebookSpec], room: Callable[[NotebookSpec, bytes], Job], executor: Executor
    ) -> None:
        """Grade the instructor's own notebooks: they must earn every point, and leave their trainings behind."""
        for spec in specs:
            self.log.info("Grading the source notebook %s (its models are trained if they are not yet)", spec.name)
            try:
                job = room(spec, nbformat.writes(spec.source).encode())
                every_core = replace(job.limits, threads=os.cpu_count() or 1)
                job = replace(job, limits=every_core, keep_trainings=True)
                [graded] = executor.submit(grade_submission, [job]).result()
            except GradingFault as error:
                raise AssignmentError(f"No submission was graded. {error}") from error
            lost = [
                f"{cell.grade_id}: {test.name}: {test.verdict} {test.detail} {test.note}"
                for cell in graded.result.cells
                for test in cell.tests
                if test.verdict is not Verdict.PASSED
            ]
            if lost:
                raise AssignmentError(
                    f"The source notebook {spec.name} does not pass its own hidden tests. No submission was graded.\n"
                    + "\n".join(lost)
                )
            self.log.info(
                "The source notebook earns %g/%g; trainings done: %d",
                graded.result.score,
                graded.result.points,
                graded.trained,
            )

    # -- the submissions ---------------------------------------------------------------------------------------------

    def _grade_all(
        self,
        specs: list[NotebookSpec],
        room: Callable[[NotebookSpec, bytes], Job],
        executor: Executor,
        students: list[str],
    ) -> tuple[list[str], list[str]]:
        """Grade submissions.

        Returns:
            The students in whose submission the grader failed, and those whose worker died.
        """
        faults: list[str] = []
        lost: list[str] = []
        counts: dict[str, int] = {}
        waiting = {self._submit(executor, specs, room, student): student for student in students}
        with tqdm(as_completed(waiting), total=len(waiting), unit="submission", desc="Grading") as bar:
            for future in bar:
                student = waiting[future]
                try:
                    graded = future.result()
                    self._finish(student, specs, graded)
                except BrokenExecutor:
                    lost.append(student)
                    continue
                except Exception as error:  # the others go on; this one is reported at the end
                    self.log.error("Submission of %s: %s", student, error, exc_info=not isinstance(error, GradingFault))
                    faults.append(student)
                    continue
                for one in graded:
                    for verdict in (test.verdict for cell in one.result.cells for test in cell.tests):
                        counts[verdict.value] = counts.get(verdict.value, 0) + 1
                bar.set_postfix(counts)
        return faults, sorted(lost)

    def _students(self) -> Iterator[str]:
        """The students whose submission is to be graded: new, newer than its result, forced, or cut off last time."""
        for folder in self.assignments:
            student = self._student_of(folder)
            target = Path(self._format_dest(self.coursedir.assignment_id, student))
            if target.exists() and not _is_complete(target):
                shutil.rmtree(target)
            if self.init_destination(self.coursedir.assignment_id, student):
                yield student

    def _student_of(self, folder: str) -> str:
        pattern = self._format_source(re.escape(self.coursedir.assignment_id), "(?P<student>[^/]+)", escape=True)
        match = re.fullmatch(pattern, folder)
        assert match is not None, f"{folder} does not match {pattern}"
        return match["student"]

    def _submit(
        self,
        executor: Executor,
        specs: list[NotebookSpec],
        room: Callable[[NotebookSpec, bytes], Job],
        student: str,
    ) -> Future[list[Graded]]:
        folder = Path(self._format_source(self.coursedir.assignment_id, student))
        jobs = []
        for spec in specs:
            path = folder / f"{spec.name}.ipynb"
            jobs.append(room(spec, path.read_bytes() if path.is_file() else b""))
        try:
            return executor.submit(grade_submission, jobs)
        except BrokenExecutor as error:  # a worker died already
            lost: Future[list[Graded]] = Future()
            lost.set_exception(error)
            return lost

    def _finish(self, student: str, specs: list[NotebookSpec], graded: list[Graded]) -> None:
        """Record one graded submission and write its autograded folder."""
        assignment = self.coursedir.assignment_id
        timestamp = self.coursedir.get_existing_timestamp(self._format_source(assignment, student))
        by_name = {spec.name: one for spec, one in zip(specs, graded, strict=True)}

        def write(gradebook: Gradebook) -> None:
            if self.create_student:
                gradebook.update_or_create_student(student)
            record(gradebook, student, assignment, timestamp, by_name)

        target = Path(self._format_dest(assignment, student))
        target.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".", dir=target.parent))
        try:
            for name, one in by_name.items():
                annotate(one.notebook, one.result)
                nbformat.write(one.notebook, building / f"{name}.ipynb")  # before the marks: what fails, fails here
            self._with_gradebook(write)
            for name, one in by_name.items():
                nbformat.write(self._as_nbgrader_does(student, name, one.notebook), building / f"{name}.ipynb")
            stamp = Path(self._format_source(assignment, student)) / "timestamp.txt"
            if stamp.is_file() and not stamp.is_symlink():
                shutil.copy(stamp, building)
            if target.exists():
                shutil.rmtree(target)
            building.chmod(0o755)
            building.rename(target)
        finally:
            shutil.rmtree(building, ignore_errors=True)  # only there when something went wrong
        self.set_permissions(assignment, student)

    def _as_nbgrader_does(self, student: str, notebook_id: str, notebook: NotebookNode) -> NotebookNode:
        """Apply the steps of nbgrader's own autograding that concern neither running nor scoring."""
        names = {"student": student, "assignment": self.coursedir.assignment_id, "notebook": notebook_id}
        resources: dict[str, Any] = {"nbgrader": names | {"db_url": self.coursedir.db_url}}
        notebook, resources = LimitOutput(parent=self).preprocess(notebook, resources)
        penalties = AssignLatePenalties(parent=self)
        notebook, resources = self._with_gradebook(lambda _: penalties.preprocess(notebook, resources))
        return notebook


def _is_complete(target: Path) -> bool:
    """Whether an autograded folder holds a result: nbgrader's own leftovers of a killed run do not."""
    notebooks = list(target.glob("*.ipynb"))
    try:
        return bool(notebooks) and all(METADATA in nbformat.read(path, as_version=4).metadata for path in notebooks)
    except Exception:  # half-written
        return False


@contextlib.contextmanager
def _workers(number: int, room: Path | None) -> Iterator[Executor]:
    """Worker processes; when the command ends by an error or an interrupt, they end at once."""
    spawn = multiprocessing.get_context("spawn")  # a forked torch may hang
    with ProcessPoolExecutor(number, spawn, start_worker, (os.getpid(), room)) as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.kill()
            raise
