"""Look over a grader: what is fine here, what is not, and how to mend it.

    course doctor

Run in the course's folder. Nothing is changed, apart from MNIST's files, which are unpacked where they are missing.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import psutil
from nbgrader.api import Gradebook
from nbgrader.apps import NbGrader
from nbgrader.coursedir import CourseDirectory
from packaging.requirements import Requirement
from sqlalchemy import URL, NullPool, create_engine, make_url, text

from ..assignment.loader import check_points, load_assignment
from ..authoring.errors import AssignmentError, GradingFault
from ..authoring.pytest_plugin import collect_hidden_tests
from ..execution.executors import cores
from ..files import PACKAGE, cache_folder
from ..judge.sandbox import check_protection, graphics_card
from ..mnist import unpack_mnist
from ..nbgrader_plugins.autograde import JudgedAutograde

__all__ = ["Finding", "examine", "main"]

DISK = 2 * 2**30
"""Bytes that should be free where results and scratch files go."""

WORKER = 1.5 * 2**30
"""Bytes of memory for a submission that is graded."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    says: str
    mend: str = ""
    """How to mend it; empty when it is fine."""


def _packages() -> Iterator[Finding]:
    for line in requires("course-lib") or []:
        required = Requirement(line)
        if required.marker is not None and not required.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(required.name)
        except PackageNotFoundError:
            yield Finding(required.name, "is missing", f"pip install '{required.name}{required.specifier}'")
            continue
        if not required.specifier.contains(found, prereleases=True):
            mend = f"pip install '{required.name}{required.specifier}'"
            yield Finding(required.name, f"{found}, and not {required.specifier}", mend)
        elif str(required.specifier).startswith("=="):
            yield Finding(required.name, found)


def _python() -> Iterator[Finding]:
    yield Finding("Python", sys.version.split()[0])


def _computing() -> Iterator[Finding]:
    import torch  # slow

    from .. import torchvision_compat  # noqa: F401 - prepares torchvision, and says what is wrong with it

    yield Finding("processors", f"{cores()}, {torch.get_num_threads()} threads for one training")
    memory = psutil.virtual_memory()
    workers = int(memory.available // WORKER)
    enough = workers >= min(2, cores())
    mend = "" if enough else "Close other programs, or grade one at a time: c.JudgedAutograde.workers = 1"
    yield Finding("memory", f"{memory.available / 2**30:.1f} GB free, enough for {workers} workers", mend)
    if not torch.cuda.is_available():
        yield Finding("GPU", "none: networks are trained on the processor")
        return
    try:
        yield Finding("GPU", f"{graphics_card('bubblewrap')}; c.JudgedAutograde.device = 'cuda' trains on it")
    except (GradingFault, OSError) as error:
        yield Finding("GPU", f"{torch.cuda.get_device_name()}, which does not work in the sandbox: {error}")


def _sandbox() -> Iterator[Finding]:
    try:
        check_protection([Path.cwd(), PACKAGE])
        yield Finding("sandbox", "bubblewrap and user namespaces work")
    except AssignmentError as error:
        first, _, rest = str(error).partition("\n")
        yield Finding("sandbox", first, rest)


def _data() -> Iterator[Finding]:
    try:
        yield Finding("MNIST", f"whole, in {unpack_mnist(cache_folder())}")
    except (OSError, RuntimeError) as error:
        yield Finding("MNIST", str(error), "Name a folder that can be written: COURSE_LIB_CACHE=...")
    for name, place in (("cache", cache_folder()), ("scratch", Path(tempfile.gettempdir())), ("course", Path.cwd())):
        free = shutil.disk_usage(place if place.exists() else Path.home()).free
        mend = "" if free >= DISK else f"Make room in {place}: {DISK / 2**30:.0f} GB should be free."
        yield Finding(f"disk of {name}", f"{free / 2**30:.0f} GB free", mend)


def _course() -> Iterator[Finding]:
    here = Path.cwd()
    if not (here / "nbgrader_config.py").exists():
        yield Finding("course", f"{here} has no nbgrader_config.py", "Run this in the course's folder.")
        return
    if unusual := set("[]*?{}$%") & set(str(here)):
        mend = "nbgrader takes them for a pattern or a variable and finds nothing: rename that folder."
        yield Finding("course", f"{here} has {' '.join(sorted(unusual))} in its path", mend)
    app = NbGrader(raise_config_file_errors=True)
    try:
        app.load_config_file()
    except Exception as error:  # it is a program: anything
        yield Finding("course", f"nbgrader_config.py: {type(error).__name__}: {error}", "Mend that line of the file.")
        return
    coursedir = CourseDirectory(parent=app)
    hidden_tests = Path(coursedir.root, JudgedAutograde(coursedir=coursedir, parent=app).hidden_tests)
    sources = Path(coursedir.root, coursedir.source_directory)
    for assignment in sorted({source.parent.name for source in sources.glob("*/*.ipynb")}):
        try:
            specs = load_assignment(sources / assignment, hidden_tests / assignment, config=app.config)
            for spec in specs:
                check_points(spec, collect_hidden_tests([*spec.tests.values()]).values())
            cells = [cell for spec in specs for cell in spec.grade_cells]
            points = sum(cell.points for cell in cells)
            names = {cell.grade_id for cell in cells}
            tests = sorted((hidden_tests / assignment).glob("test_*"))
            stray = [str(path) for path in tests if path.suffix in ("", ".py") and path.stem not in names]
            mend = f"{', '.join(stray)}: no grade cell is called so, rename or remove it." if stray else ""
            yield Finding(f"assignment {assignment}", f"{len(cells)} grade cells, {points:g} points", mend)
        except (AssignmentError, GradingFault) as error:
            yield Finding(f"assignment {assignment}", "cannot be graded", str(error))
    yield _gradebook(make_url(coursedir.db_url))


def _gradebook(url: URL) -> Finding:
    """Whether the gradebook of the course can be read and, where it is a file, written."""
    is_file = url.get_backend_name() == "sqlite"
    if is_file and not Path(str(url.database)).exists():
        return Finding("gradebook", "none yet: the first nbgrader command makes it")
    try:
        with Gradebook(url.render_as_string(hide_password=False)) as gradebook:
            says = f"{len(gradebook.assignments)} assignments, {len(gradebook.students)} students"
        if is_file:
            engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": 1})  # closes the file at once
            with engine.connect() as connection:
                connection.execute(text("begin immediate"))
                connection.rollback()
        return Finding("gradebook", says)
    except Exception as error:  # of the database, of its driver, of nbgrader
        first = str(error).splitlines()[0]
        place = url.database if is_file else repr(url)  # without its password
        mend = f"Close what holds it (formgrader, another grading), or restore {place}."
        return Finding("gradebook", first, mend)


def examine() -> Iterator[Finding]:
    """Look at everything; what fails by itself becomes a finding, too."""
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (_python, _packages, _computing, _sandbox, _data, _course)
    for look in looks:
        try:
            yield from look()
        except Exception as error:  # the doctor never falls ill
            mend = "This should not happen: please report it with the output of 'course --debug doctor'."
            yield Finding(look.__name__.strip("_"), f"{type(error).__name__}: {error}", mend)


def main() -> None:
    """Print every finding; the exit status is 1 when there is something to mend."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    ill = False
    for finding in examine():
        ill |= bool(finding.mend)
        print(f"{'✗' if finding.mend else '✓'} {finding.what}: {finding.says}", flush=True)
        for line in finding.mend.splitlines():
            print(f"    {line}")
    sys.exit(ill)
