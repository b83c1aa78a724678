"""The doctor's checks of a course: everything that can make ``nbgrader autograde`` refuse to grade it.

They call the functions that autograde calls, so the messages are the same.
"""

import functools
import tempfile
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path

from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import NullPool, create_engine, make_url, text

from ..assignment.loader import check_points, load_assignment
from ..authoring.pytest_plugin import collect_hidden_tests
from ..execution.cache_key import versions
from ..execution.executors import cluster_executor, local_executor
from ..execution.run_settings import cores
from ..execution.worker import check_machine
from ..judge.limits import Limits
from ..judge.sandbox import check_protection, write_kernel_library
from ..judge.task import Protection, trainings_folder
from ..records.gradebook import CourseGradebook
from ..results.errors import AssignmentError, GraderError
from ..results.result import Verdict
from .doctor_machine import Finding
from .open_course import Course


def check_settings(course: Course) -> Iterator[Finding]:
    """Check the settings of the judge."""
    settings = course.settings
    try:
        settings.check_settings()
    except AssignmentError as error:
        yield Finding("settings", "nbgrader_config.py has settings that cannot be used", str(error))
    else:
        where = settings.scheduler or f"{settings.workers or cores()} workers"
        yield Finding("settings", f"{where}, protection {settings.protection}, device {settings.device}")


def check_sandbox(course: Course | None) -> Iterator[Finding]:
    """Start a sandbox, and check that it does not show the course folder, if there is a course."""
    if course is not None and course.settings.protection == "none":
        yield Finding("sandbox", "not used: students' code can do anything that you can (c.JudgedAutograde.protection)")
        return
    try:
        check_protection([] if course is None else [course.root])
        yield Finding("sandbox", "bubblewrap and user namespaces work")
    except AssignmentError as error:
        problem, _, fix = str(error).partition("\n")
        yield Finding("sandbox", problem, fix)


def check_kernel(course: Course) -> Iterator[Finding]:
    """Run a notebook in a worker process, like a student's notebook, or ask the workers of the cluster."""
    settings = course.settings
    try:
        if settings.scheduler:
            check = functools.partial(check_machine, settings.protection, [trainings_folder()], versions(all_code=True))
            with cluster_executor(settings.scheduler, check) as (_, crew):
                yield Finding("cluster", f"{crew.workers} submissions can be graded at the same time")
            return
        with tempfile.TemporaryDirectory() as name:
            workspace = Path(name).resolve()
            write_kernel_library(workspace / "library")
            (workspace / "files").mkdir()
            limits = Limits(**{"threads": 1} | settings.limits)
            shown = None if settings.protection == "none" else workspace
            with local_executor(1, shown) as (executor, _):
                problem = executor.submit(run_trial_notebook, workspace, limits, settings.protection).result()
    except BrokenExecutor:
        problem = "the worker process was killed, perhaps because the machine ran out of memory"
    except (AssignmentError, GraderError, OSError, TypeError) as error:
        problem = str(error)
    what = "cluster" if settings.scheduler else "kernel"
    if problem:
        yield Finding(what, "a student's notebook would not run", problem)
    else:
        yield Finding(what, "a notebook ran in a worker process")


def run_trial_notebook(workspace: Path, limits: Limits, protection: Protection) -> str:
    """Run a notebook that imports what students' notebooks import.

    Args:
        workspace: the folder with ``library`` and ``files``, which kernels see.
        limits: of the kernel.
        protection: of the kernel.

    Returns:
        What went wrong; empty if nothing did.
    """
    from ..judge.kernel_process import KernelSettings  # imported slowly
    from ..judge.notebook_runner import NotebookRunner

    notebook = new_notebook(cells=[new_code_cell("import course_lib, torch\ncourse_lib.check")])
    settings = KernelSettings(workspace / "library", limits, protection, workspace / "files")
    with NotebookRunner(notebook, settings) as runner:
        runner.run_until(1)
    if runner.outcomes[0] is Verdict.PASSED:
        return ""
    errors = [f"{output.ename}: {output.evalue}" for output in notebook.cells[0].outputs if "ename" in output]
    return "\n".join(errors) or str(runner.outcomes[0])


def check_assignments(course: Course) -> Iterator[Finding]:
    """Read every assignment, and compare it with the gradebook."""
    gradebook, known = gradebook_finding(course.coursedir)
    yield gradebook
    hidden_tests = Path(course.coursedir.root, course.settings.hidden_tests)
    sources = Path(course.coursedir.root, course.coursedir.source_directory)
    for name in sorted({source.parent.name for source in sources.glob("*/*.ipynb")}):
        try:
            yield _assignment(course, name, sources / name, hidden_tests / name, known)
        except (AssignmentError, GraderError) as error:
            yield Finding(f"assignment {name}", "cannot be graded", str(error))


def _assignment(course: Course, name: str, source: Path, tests: Path, known: set[str]) -> Finding:
    """Read one assignment.

    Raises:
        AssignmentError or GraderError: if it cannot be graded; the message says why.
    """
    specs = load_assignment(source, tests, config=course.app.config)
    for spec in specs:
        check_points(spec, collect_hidden_tests([*spec.tests.values()]).values())
    if name in known:
        with CourseGradebook(course.coursedir.db_url, course.coursedir.course_id, course.app.log) as gradebook:
            gradebook.check_notebooks(name, {spec.name for spec in specs})
            for spec in specs:
                gradebook.check(spec)
    cells = [cell for spec in specs for cell in spec.grade_cells]
    names = {cell.grade_id for cell in cells}
    found = sorted(path for path in tests.glob("test_*") if path.suffix in ("", ".py"))
    stray = ", ".join(str(path) for path in found if path.stem not in names)
    fix = f"{stray}: no grade cell has this name; rename the file, or remove it." if stray else ""
    says = f"{len(cells)} grade cells, {sum(cell.points for cell in cells):g} points"
    if classic := [name for spec in specs for name in spec.classic]:
        says += f"; tested by their own code, which can be forged: {', '.join(classic)}"
    if name not in known:
        says += f"; before it is graded, run 'nbgrader generate_assignment {name}'"
    return Finding(f"assignment {name}", says, fix)


def gradebook_finding(coursedir: CourseDirectory) -> tuple[Finding, set[str]]:
    """Read the gradebook of a course and, if it is a file, check that it can be written.

    Returns:
        What was found, and the names of the assignments in the gradebook.
    """
    url = make_url(coursedir.db_url)
    is_file = url.get_backend_name() == "sqlite"
    if is_file and not Path(str(url.database)).exists():
        return Finding("gradebook", "none yet: the first nbgrader command will create it"), set()
    try:
        with Gradebook(url.render_as_string(hide_password=False)) as gradebook:
            known = {assignment.name for assignment in gradebook.assignments}
            says = f"{len(known)} assignments, {len(gradebook.students)} students"
        if is_file:
            engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": 1})  # closes the file at once
            with engine.connect() as connection:
                connection.execute(text("begin immediate"))
                connection.rollback()
        return Finding("gradebook", says), known
    except Exception as error:  # from the database, its driver or nbgrader
        first = str(error).splitlines()[0]
        place = url.database if is_file else repr(url)  # repr hides the password
        fix = f"Close the programs that use it (formgrader, another grading), or restore {place}."
        return Finding("gradebook", first, fix), set()


COURSE_CHECKS = (check_settings, check_sandbox, check_kernel, check_assignments)
