"""Everything that a run needs: locks, the gradebook, the assignment, workers."""

import contextlib
import functools
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from logging import INFO, WARNING, Logger
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout
from traitlets.config import Config

from ..assignment.imports import imported_modules, install_command
from ..assignment.loader import load_assignment
from ..assignment.release import LOADS_MNIST, identifiers
from ..assignment.spec import NotebookSpec
from ..judge.sandbox import check_protection, end_orphans, gpu_name, write_kernel_library
from ..judge.task import GradingTask, Unreadable, trainings_folder
from ..messages import set_language
from ..records.gradebook import CourseGradebook
from ..results.errors import AssignmentError, GraderError
from .assignment_folders import AssignmentFolders
from .cache_key import assignment_digest, times_of_tests, versions
from .class_run import ClassRun, NewTask
from .executors import cluster_executor, local_executor
from .recorder import Recorder
from .result_cache import ResultCache
from .run_settings import Classic, RunSettings
from .worker import check_machine, grade_in_child_process
from .worker_pool import WorkerPool


@contextlib.contextmanager
def open_run(
    folders: AssignmentFolders,
    settings: RunSettings,
    gradebook_url: str,
    course_id: str,
    notebooks: str,
    config: Config,
    penalize: Callable[[str, str], None],
    set_permissions: Callable[[str], None],
    submissions: int,
    log: Logger,
) -> Iterator[ClassRun]:
    """Set up a run over an assignment, and release everything when the block ends.

    Args:
        folders: of the assignment.
        settings: the run settings from the configuration.
        gradebook_url: the gradebook's database.
        course_id: the course's id in the gradebook.
        notebooks: pattern of the names of the notebooks to grade.
        config: nbgrader's configuration, which may change markers and stubs.
        penalize: see :class:`course_lib.execution.recorder.Recorder`.
        set_permissions: see the same class.
        submissions: the largest number of submissions. No more workers than that are started.
        log: gets messages for the instructor.

    Raises:
        AssignmentError or GraderError: if nothing can be graded here; the message says why and how to fix it.
    """
    if folders.source.name != folders.assignment or not folders.source.is_dir():  # a pattern, or a '/' at the end
        raise AssignmentError(
            f"there is no assignment {folders.assignment!r}: no folder in {folders.source.parent} has this name"
        )
    set_language(settings.language)
    if settings.protection != "none":
        check_protection([folders.course])
    find_device(settings, log)
    with contextlib.ExitStack() as stack:
        stack.enter_context(assignment_lock(folders))
        stack.callback(end_orphans)
        gradebook = stack.enter_context(CourseGradebook(gradebook_url, course_id, log))
        workspace = stack.enter_context(temporary_folder(folders.graded if settings.scheduler else None))
        specs = load_specs(folders, gradebook, notebooks, config)
        pool = stack.enter_context(open_pool(settings, workspace, submissions, specs))
        report_classic_cells(specs, settings.classic, log)
        report_missing_packages(specs, folders, log)
        recorder = Recorder(
            folders, gradebook, settings.add_students, penalize, set_permissions, log, settings.keep_times
        )
        stamps = times_of_tests(specs)  # read before the keys are made, so that any later edit is noticed
        new_task = prepare_tasks(folders, settings, workspace, specs)
        cache = ResultCache(folders.results)
        yield ClassRun(folders, settings, specs, new_task, pool, cache, recorder, stamps, log)


def find_device(settings: RunSettings, log: Logger) -> None:
    """Train on the CPU if there is no working GPU, and say so. Cluster workers find their own device."""
    if settings.device == "cuda" and not settings.scheduler:
        try:
            log.info("Models are trained on %s", gpu_name(settings.protection))
        except GraderError as error:
            log.warning("c.JudgedAutograde.device: no GPU: models are trained on the CPU (%s)", error)
            settings.device = "cpu"


@contextlib.contextmanager
def assignment_lock(folders: AssignmentFolders) -> Iterator[None]:
    """Keep out a second command on the same assignment. The lock ends with this process, even if it is killed."""
    folders.graded.mkdir(parents=True, exist_ok=True)
    path = folders.graded / f".{folders.assignment}.lock"
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout as error:
        raise AssignmentError(
            f"Another 'nbgrader autograde {folders.assignment}' is already running (lock: {path}). Wait until it "
            "finishes."
        ) from error


@contextlib.contextmanager
def temporary_folder(beside: Path | None) -> Iterator[Path]:
    """A folder for the files that kernels see. Folders of commands that were killed are removed.

    Args:
        beside: where to make it; None for the system's temporary files. A cluster does not see those.
    """
    parent = (beside or Path(tempfile.gettempdir())).resolve()
    for left in parent.glob(".workspace-*/"):
        with contextlib.suppress(OSError, Timeout), FileLock(f"{left}.lock", timeout=0):  # else its command is running
            shutil.rmtree(left)
            Path(f"{left}.lock").unlink()
    folder = parent / f".workspace-{uuid4().hex}"
    lock = Path(f"{folder}.lock")
    with FileLock(lock):  # before the folder exists, so that no command ever sees it without its lock
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


def open_pool(settings: RunSettings, workspace: Path, submissions: int, specs: Sequence[NotebookSpec]) -> WorkerPool:
    """Where submissions are graded: worker processes of this machine, or a Dask cluster."""
    if settings.scheduler:
        seen = [workspace / "library", trainings_folder()]
        check = functools.partial(check_machine, settings.protection, seen, versions(all_code=True))
        start = functools.partial(cluster_executor, settings.scheduler, check)
        return WorkerPool(start, functools.partial(grade_in_child_process, check))
    workers = min(settings.workers, max(1, submissions))
    judged = any(spec.tests for spec in specs)
    seen_by_kernels = None if settings.protection == "none" else workspace
    return WorkerPool(functools.partial(local_executor, workers, seen_by_kernels, judged))


def load_specs(
    folders: AssignmentFolders, gradebook: CourseGradebook, notebooks: str, config: Config
) -> list[NotebookSpec]:
    """The notebooks of the assignment, compared with the gradebook.

    Raises:
        AssignmentError: if they cannot be graded, or if the gradebook has other cells.
    """
    specs = load_assignment(folders.source, folders.hidden_tests, notebooks, config)
    if notebooks == "*":
        gradebook.check_notebooks(folders.assignment, {spec.name for spec in specs})
    for spec in specs:
        gradebook.check(spec)
    return specs


def report_classic_cells(specs: Sequence[NotebookSpec], classic: Classic, log: Logger) -> None:
    """Warn about classic cells or refuse them, depending on the setting.

    Raises:
        AssignmentError: if the setting is ``refuse`` and there are any; the message names them.
    """
    cells = [f"{spec.name}: {', '.join(spec.classic)}" for spec in specs if spec.classic]
    if not cells:
        return
    names = "; ".join(cells)
    if classic == "refuse":
        raise AssignmentError(
            f"These grade cells have no file of hidden tests: {names}. c.JudgedAutograde.classic = 'refuse' does not "
            "allow that. Write the tests ('course harden' drafts them), or set it to 'allow' or 'warn'"
        )
    message = "Tested by the cell's own code, so the student's code could forge the verdict: %s"
    log.log(WARNING if classic == "warn" else INFO, message, names)
    for spec in specs:
        if spec.needs_hidden_lines:
            log.info("%s: runs twice, because a later cell uses a name that only hidden lines define", spec.name)


def report_missing_packages(specs: Sequence[NotebookSpec], folders: AssignmentFolders, log: Logger) -> None:
    """Name the packages that the source notebooks import and this machine lacks."""
    modules = imported_modules([spec.source for spec in specs], folders.source)
    if command := install_command(modules):
        log.warning(
            "The source notebooks import packages that are not installed here, so their cells fail. Install them: %s",
            command,
        )


def prepare_tasks(
    folders: AssignmentFolders, settings: RunSettings, workspace: Path, specs: Sequence[NotebookSpec]
) -> NewTask:
    """Put the files that kernels see into ``workspace``, and return the function that makes tasks."""
    modules = imported_modules([spec.source for spec in specs], folders.source)
    if any(identifiers(spec.source) & LOADS_MNIST for spec in specs):
        modules.insert(0, "course_lib.mnist")  # before torchvision, which it prepares
    if any(spec.tests for spec in specs):
        modules.append("course_lib.kernel.responder")  # imports torch
    library = write_kernel_library(workspace / "library", modules)
    files = workspace / "files"
    shutil.copytree(folders.source, files, ignore=shutil.ignore_patterns("*.ipynb", ".*", *folders.ignored))
    limits = settings.limits
    names = ("language", "protection", "device", "train_once", "execute")
    decisive = {name: str(getattr(settings, name)) for name in names}
    decisive["ignored"] = " ".join(sorted(folders.ignored))
    here = versions()
    keys = {spec.name: assignment_digest(spec, folders.source, limits, here, **decisive) for spec in specs}

    def new_task(
        spec: NotebookSpec, submitted: bytes | Unreadable, student_files: Mapping[str, bytes] | None = None
    ) -> GradingTask:
        content = f"!{submitted.reason}".encode() if isinstance(submitted, Unreadable) else submitted
        digest = hashlib.sha256(keys[spec.name].encode() + content)
        for name, data in (student_files or {}).items():
            digest.update(f"\n{name} {len(data)}\n".encode(errors="surrogateescape") + data)
        return GradingTask(
            spec,
            submitted,
            library,
            trainings_folder(),
            limits,
            settings.language,
            settings.protection,
            settings.device,
            files,
            student_files or {},
            settings.execute,
            train_once=settings.train_once,
            key=digest.hexdigest(),
        )

    return new_task
