"""Everything that a run needs: locks, the gradebook, the assignment, workers."""

import contextlib
import functools
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from logging import Logger
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout
from traitlets.config import Config

from ..assignment.loader import load_assignment
from ..assignment.spec import NotebookSpec
from ..authoring.errors import AssignmentError, GradingFault
from ..judge.sandbox import check_protection, end_orphans, graphics_card, kernel_folder
from ..judge.task import GradingTask, Unreadable, trainings_folder
from ..messages import set_language
from ..records.gradebook import CourseGradebook
from .assignment_folders import AssignmentFolders
from .cache_key import cache_key, stamps_of_tests, versions
from .class_run import ClassRun, NewTask
from .executors import cluster_executor, local_executor
from .recorder import Recorder
from .result_cache import ResultCache
from .run_settings import RunSettings
from .worker import check_machine, grade_in_a_process_of_its_own
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
    """A run over an assignment, as long as the block lasts.

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
        AssignmentError or GradingFault: if nothing can be graded here; the message says why and how to fix it.
    """
    if folders.source.name != folders.assignment or not folders.source.is_dir():  # a '/' at its end, a pattern
        raise AssignmentError(
            f"there is no assignment {folders.assignment!r}: no folder in {folders.source.parent} has this name"
        )
    set_language(settings.language)
    if settings.protection != "none":
        check_protection([folders.course])
    find_device(settings, log)
    with contextlib.ExitStack() as stack:
        stack.enter_context(only_run(folders))
        stack.callback(end_orphans)
        gradebook = stack.enter_context(CourseGradebook(gradebook_url, course_id, log))
        workspace = stack.enter_context(temporary_folder(folders.graded if settings.scheduler else None))
        pool = stack.enter_context(open_pool(settings, workspace, submissions))
        specs = load_specs(folders, gradebook, notebooks, config)
        recorder = Recorder(folders, gradebook, settings.add_students, penalize, set_permissions, log)
        stamps = stamps_of_tests(specs)  # before the keys, so that later edits are detected
        new_task = task_maker(folders, settings, workspace, specs)
        cache = ResultCache(folders.results)
        yield ClassRun(folders, settings, specs, new_task, pool, cache, recorder, stamps, log)


def find_device(settings: RunSettings, log: Logger) -> None:
    """Train on the CPU if there is no working graphics card, and say so. Cluster workers find their own device."""
    if settings.device == "cuda" and not settings.scheduler:
        try:
            log.info("Models are trained on %s", graphics_card(settings.protection))
        except GradingFault as error:
            log.warning("c.JudgedAutograde.device: no graphics card: models are trained on the CPU (%s)", error)
            settings.device = "cpu"


@contextlib.contextmanager
def only_run(folders: AssignmentFolders) -> Iterator[None]:
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
    for left in parent.glob(".room-*/"):
        with contextlib.suppress(OSError, Timeout), FileLock(f"{left}.lock", timeout=0):  # else its command is running
            shutil.rmtree(left)
            Path(f"{left}.lock").unlink()
    folder = parent / f".room-{uuid4().hex}"
    lock = Path(f"{folder}.lock")
    with FileLock(lock):  # before the folder exists, so that no command ever sees it without its lock
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


def open_pool(settings: RunSettings, workspace: Path, submissions: int) -> WorkerPool:
    """Where submissions are graded: worker processes of this machine, or a Dask cluster."""
    if settings.scheduler:
        seen = [workspace / "library", trainings_folder()]
        check = functools.partial(check_machine, settings.protection, seen, versions(all_code=True))
        start = functools.partial(cluster_executor, settings.scheduler, check)
        return WorkerPool(start, functools.partial(grade_in_a_process_of_its_own, check))
    workers = min(settings.workers, max(1, submissions))
    return WorkerPool(functools.partial(local_executor, workers, None if settings.protection == "none" else workspace))


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


def task_maker(
    folders: AssignmentFolders, settings: RunSettings, workspace: Path, specs: list[NotebookSpec]
) -> NewTask:
    """Put the files that kernels see into ``workspace``, and return the function that makes tasks."""
    library = kernel_folder(workspace / "library")
    files = workspace / "files"
    shutil.copytree(folders.source, files, ignore=shutil.ignore_patterns("*.ipynb", ".*", *folders.ignored))
    limits = settings.limits
    decisive = {name: str(getattr(settings, name)) for name in ("language", "protection", "device", "train_once")}
    decisive["ignored"] = " ".join(sorted(folders.ignored))
    here = versions()
    keys = {spec.name: cache_key(spec, folders.source, limits, here, **decisive) for spec in specs}

    def new_task(spec: NotebookSpec, submitted: bytes | Unreadable) -> GradingTask:
        content = f"!{submitted.reason}".encode() if isinstance(submitted, Unreadable) else submitted
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
            train_once=settings.train_once,
            key=hashlib.sha256(keys[spec.name].encode() + content).hexdigest(),
        )

    return new_task
