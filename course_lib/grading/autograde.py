"""``nbgrader autograde`` and formgrader's button, with the judge in place of nbgrader's executed notebook.

nbgrader has no setting for the class behind its command, so :func:`use_judge` puts :class:`JudgedAutograde` where the
two modules that run it look it up. All options of ``nbgrader autograde`` keep their meaning.
"""

import multiprocessing
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from fnmatch import fnmatch
from glob import glob
from pathlib import Path
from typing import Any

import nbformat
import nbgrader.apps.api
import nbgrader.apps.autogradeapp
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import AssignLatePenalties, LimitOutput
from tqdm import tqdm
from traitlets import Float, Integer, Unicode

from ..messages import language
from ..mnist import load_mnist
from .assignment import NotebookSpec, load_notebook_spec
from .errors import AssignmentError, GradingFault
from .feedback import METADATA, annotate
from .grade import Graded, Job, grade
from .hidden import collect_hidden_tests
from .record import record
from .result import Verdict
from .session import Limits, kernel_folder
from .trainings import keep_trainings, trainings_folder

__all__ = ["JudgedAutograde", "use_judge"]


def use_judge() -> None:
    """Let ``nbgrader autograde`` and formgrader grade with :class:`JudgedAutograde`."""
    nbgrader.apps.autogradeapp.Autograde = JudgedAutograde
    nbgrader.apps.api.Autograde = JudgedAutograde


class JudgedAutograde(Autograde):
    """Grades submissions with the kit's judge."""

    hidden_tests = Unicode("grader_tests", help="Folder of the hidden tests, in the course's root.").tag(config=True)
    language = Unicode(language(), help="Language of the feedback: fr or en.").tag(config=True)
    workers = Integer(0, help="Submissions graded at the same time; 0: one for each core.").tag(config=True)
    cell_seconds = Float(Limits.cell, help="Time for one cell, training cells excepted.").tag(config=True)
    training_seconds = Float(Limits.training, help="Time for one training cell.").tag(config=True)
    question_seconds = Float(Limits.question, help="Time for one question of a hidden test.").tag(config=True)

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
            specs = self._specs()
            with tempfile.TemporaryDirectory(prefix="course_lib") as folder:
                library = kernel_folder(Path(folder))
                self._check_reference(specs, library)
                faults = self._grade_all(specs, library)
        except AssignmentError as error:
            self.log.error(str(error))
            raise NbGraderException(str(error)) from error
        if faults:
            message = "Not graded, through no fault of the student; nothing was recorded: " + ", ".join(sorted(faults))
            self.log.error(message)
            raise NbGraderException(message)

    # -- the assignment ----------------------------------------------------------------------------------------------

    def _specs(self) -> list[NotebookSpec]:
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
            self._check_points(spec)
            self._check_gradebook(spec)
        return specs

    def _check_points(self, spec: NotebookSpec) -> None:
        collected = collect_hidden_tests(list(spec.tests.values())) if spec.tests else {}
        for cell in spec.automatic:
            points = collected[cell.grade_id].points if cell.grade_id in collected else 0
            if points != cell.points:
                raise AssignmentError(
                    f"{spec.tests[cell.grade_id]}: its tests add up to {points:g} points, "
                    f"the cell '{cell.grade_id}' of {spec.name}.ipynb has {cell.points:g}"
                )

    def _check_gradebook(self, spec: NotebookSpec) -> None:
        advice = f"run 'nbgrader generate_assignment {spec.assignment} --force' first"
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            try:
                notebook = gradebook.find_notebook(spec.name, spec.assignment)
            except MissingEntry as error:
                raise AssignmentError(f"The gradebook does not know {spec.assignment}/{spec.name}: {advice}") from error
            known = {cell.name: cell.max_score for cell in notebook.grade_cells}
        if known != {cell.grade_id: cell.points for cell in spec.grade_cells}:
            raise AssignmentError(
                f"The gradebook has other grade cells than {spec.assignment}/{spec.name}.ipynb: {advice}"
            )

    def _job(self, spec: NotebookSpec, submitted: bytes, library: Path, threads: int) -> Job:
        limits = Limits(self.cell_seconds, self.training_seconds, self.question_seconds, threads=threads)
        files = Path(self.coursedir.format_path(self.coursedir.source_directory, ".", spec.assignment)).resolve()
        return Job(spec, submitted, library, trainings_folder(), limits, self.language, files)

    def _check_reference(self, specs: list[NotebookSpec], library: Path) -> None:
        """Grade the instructor's own notebooks: they must earn every point, and leave their trainings behind."""
        load_mnist()  # unpacked here, where the cache can be written
        for spec in specs:
            self.log.info("Grading the source notebook %s (its models are trained if they are not yet)", spec.name)
            try:
                graded = grade(self._job(spec, nbformat.writes(spec.source).encode(), library, threads=0))
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
            trained = keep_trainings(graded.trainings, trainings_folder())
            self.log.info(
                "The source notebook earns %g/%g; trainings done: %d",
                graded.result.score,
                graded.result.points,
                trained,
            )

    # -- the submissions ---------------------------------------------------------------------------------------------

    def _grade_all(self, specs: list[NotebookSpec], library: Path) -> list[str]:
        """Grade what is not graded yet; the ids of the students in whose submission the grader failed."""
        workers = self.workers or os.cpu_count() or 1
        context = multiprocessing.get_context("spawn")  # a forked torch may hang
        faults = []
        counts: dict[str, int] = {}
        with ProcessPoolExecutor(workers, mp_context=context) as executor:
            waiting = {
                self._submit(executor, specs, library, student, workers): student for student in self._students()
            }
            with tqdm(as_completed(waiting), total=len(waiting), unit="submission", desc="Grading") as bar:
                for future in bar:
                    student = waiting[future]
                    try:
                        graded = future.result()
                        self._finish(student, specs, graded)
                    except Exception as error:  # the others go on; this one is reported at the end
                        self.log.error(
                            "Submission of %s: %s", student, error, exc_info=not isinstance(error, GradingFault)
                        )
                        faults.append(student)
                        continue
                    for one in graded:
                        for verdict in (test.verdict for cell in one.result.cells for test in cell.tests):
                            counts[verdict.value] = counts.get(verdict.value, 0) + 1
                    bar.set_postfix(counts)
        return faults

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
        self, executor: Executor, specs: list[NotebookSpec], library: Path, student: str, workers: int
    ) -> Future[list[Graded]]:
        threads = max(1, (os.cpu_count() or 1) // workers)
        folder = Path(self._format_source(self.coursedir.assignment_id, student))
        jobs = []
        for spec in specs:
            path = folder / f"{spec.name}.ipynb"
            content = path.read_bytes() if path.is_file() else b""
            jobs.append(self._job(spec, content, library, threads))
        return executor.submit(_grade_submission, jobs)

    def _finish(self, student: str, specs: list[NotebookSpec], graded: list[Graded]) -> None:
        """Record one graded submission and write its autograded folder."""
        assignment = self.coursedir.assignment_id
        timestamp = self.coursedir.get_existing_timestamp(self._format_source(assignment, student))
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            if self.create_student:
                gradebook.update_or_create_student(student)
            by_name = {spec.name: one for spec, one in zip(specs, graded, strict=True)}
            record(gradebook, student, assignment, timestamp, by_name)
        target = Path(self._format_dest(assignment, student))
        target.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".", dir=target.parent))
        for spec, one in zip(specs, graded, strict=True):
            annotate(one.notebook, one.result)
            resources: dict[str, Any] = {
                "nbgrader": {
                    "student": student,
                    "assignment": assignment,
                    "notebook": spec.name,
                    "db_url": self.coursedir.db_url,
                }
            }
            for step in (LimitOutput, AssignLatePenalties):
                one.notebook, resources = step(parent=self).preprocess(one.notebook, resources)
            nbformat.write(one.notebook, building / f"{spec.name}.ipynb")
        stamp = Path(self._format_source(assignment, student)) / "timestamp.txt"
        if stamp.is_file() and not stamp.is_symlink():
            shutil.copy(stamp, building)
        if target.exists():
            shutil.rmtree(target)
        building.chmod(0o755)
        building.rename(target)
        self.set_permissions(assignment, student)


def _is_complete(target: Path) -> bool:
    """Whether an autograded folder holds a result: nbgrader's own leftovers of a killed run do not."""
    notebooks = list(target.glob("*.ipynb"))
    try:
        return bool(notebooks) and all(METADATA in nbformat.read(path, as_version=4).metadata for path in notebooks)
    except Exception:  # half-written
        return False


def _grade_submission(jobs: list[Job]) -> list[Graded]:
    """Grade the notebooks of one submission, in a worker process."""
    return [grade(job) for job in jobs]
