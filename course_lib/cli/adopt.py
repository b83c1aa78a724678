"""Report how the kit will grade an existing nbgrader course, and add the configuration that it needs.

    course adopt FOLDER

For each grade cell it says how the kit will grade it. If the course has no nbgrader_config.py, the two configuration
files are copied into it; otherwise you get the lines to add to yours. Nothing else is changed: notebooks, submissions
and the marks in gradebook.db stay as they are.
"""

import argparse
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nbgrader.api import Gradebook

from ..assignment.imports import imported_modules, install_command
from ..assignment.loader import load_notebook_spec
from ..assignment.spec import GradeCell, NotebookSpec
from ..results.errors import AssignmentError
from ..results.result_html import format_points
from .doctor_machine import Finding
from .init import CONFIGURATION, COURSE_FILES
from .open_course import Course, open_course

OWN_SETTINGS = ("c = get_config()", "c.CourseDirectory.course_id")
"""Lines of the kit's configuration that an existing one has already."""

KINDS = {
    "judged": "by its file of hidden tests, in the judge's process",
    "classic": "by its own code, in the student's process: the verdict can be forged ('course harden' drafts tests)",
    "manual": "by a person",
}
"""How a grade cell is graded."""


def kind_of(cell: GradeCell, spec: NotebookSpec) -> str:
    """How a cell is graded: one of :data:`KINDS`."""
    if cell.manual:
        return "manual"
    return "judged" if cell.grade_id in spec.tests else "classic"


def describe(course: Course) -> Iterator[str]:
    """What the kit will do with each assignment, line by line."""
    folders = sorted((course.root / course.coursedir.source_directory).glob("*/"))
    if not folders:
        yield f"There is no assignment in {course.root / course.coursedir.source_directory}."
    for folder in folders:
        yield f"\n{folder.name}"
        specs = []
        for path in sorted(folder.glob("*.ipynb")):
            try:
                tests = course.root / course.settings.hidden_tests / folder.name
                specs.append(load_notebook_spec(path, tests, course.app.config))
            except AssignmentError as error:
                yield f"  ✗ {path.name}: cannot be graded. {str(error).removeprefix(f'{path}: ')}"
        for spec in specs:
            yield from _describe_notebook(spec)
        if command := install_command(imported_modules([spec.source for spec in specs], folder)):
            yield f"  ✗ packages are missing: {command}"


def _describe_notebook(spec: NotebookSpec) -> Iterator[str]:
    counts = Counter(kind_of(cell, spec) for cell in spec.grade_cells)
    summary = ", ".join(f"{n} {kind}" for kind, n in counts.items()) or "no grade cells"
    yield f"  {spec.name}.ipynb: {summary}"
    for cell in spec.grade_cells:
        points = f"{format_points(cell.points)} point{'s' * (cell.points != 1)}"
        yield f"      {cell.grade_id:30} {points:10} {kind_of(cell, spec)}"
    if spec.needs_hidden_lines:
        yield "      runs twice: a later cell uses a name that only hidden lines define"
    if without := [cell.grade_id for cell in spec.automatic if not cell.solution]:
        yield f"      no solution cell comes before {', '.join(without)}, so only given code is tested"


def configuration_lines() -> str:
    """The lines that an existing nbgrader_config.py needs at its end."""
    text = (COURSE_FILES / "nbgrader_config.py").read_text(encoding="utf-8").split('"""', 2)[2]
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(OWN_SETTINGS)).strip()


def add_configuration(folder: Path) -> str:
    """Copy the configuration files if that overwrites nothing; say what was done, or what is left to do."""
    config, guard = (folder / name for name in CONFIGURATION)
    if not config.exists():
        for name in CONFIGURATION:
            if not (folder / name).exists():
                shutil.copyfile(COURSE_FILES / name, folder / name)
        return f"Wrote {' and '.join(CONFIGURATION)}: put your course's settings into the first one."
    if "use_judge()" not in config.read_text(encoding="utf-8"):
        return (
            f"Add these lines at the end of {config}, then run this command again:\n\n{configuration_lines()}\n\n"
            "Until then, nbgrader grades this course without the kit. Nothing was changed."
        )
    if not guard.exists():
        shutil.copyfile(COURSE_FILES / guard.name, guard)
        return f"Wrote {guard.name}: it stops nbgrader if {config.name} has an error."
    return f"{config.name} has what the kit needs."


def recorded_marks(course: Course) -> str:
    """What the gradebook holds, in one line; empty if there is none."""
    if not (course.root / "gradebook.db").exists():
        return ""
    with Gradebook(course.coursedir.db_url, course.coursedir.course_id) as gradebook:
        n = sum(len(assignment.submissions) for assignment in gradebook.assignments)
    return f"gradebook.db has {n} submissions. Their marks stay until you run 'nbgrader autograde' on them."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``course adopt``."""
    parser.add_argument("folder", type=Path, help="the course folder, in which 'source' is")


def run(arguments: argparse.Namespace) -> None:
    """Print what the kit will do; add the configuration."""
    folder: Path = arguments.folder
    if not (folder / "source").is_dir() and not (folder / "nbgrader_config.py").exists():
        sys.exit(f"course adopt: {folder} is not a course: it has neither a folder 'source' nor an nbgrader_config.py")
    done = add_configuration(folder.resolve())
    os.chdir(folder)
    course = open_course()
    if isinstance(course, Finding):
        sys.exit(f"{done}\n\ncourse adopt: {course.says}\n{course.fix}")
    lines = [*describe(course), ""]
    print("\n".join([*lines, *(f"  {kind:8} {how}" for kind, how in KINDS.items()), ""]))
    print("\n".join(filter(None, [recorded_marks(course), done, "Next: course doctor"])))
