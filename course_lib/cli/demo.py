"""The demo: a course folder with a class of students, graded by the stock nbgrader commands.

    course demo demo

The folder gets a copy of the assignment; real submissions and the real gradebook are never touched.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory

from ..assignment.loader import load_notebook_spec
from ..authoring.errors import AssignmentError
from ..nbgrader_plugins.exporters import Report
from ..records.class_record import read_class
from ..reports.marks_table import marks_table
from .demo_class import CLASS, Situation, fill

__all__ = ["main", "make_course"]

PROJECT = Path(__file__).parents[2]
ASSIGNMENT = "mnist1"
REPORT = "report.html"
MARK = ".demo"
"""File in a folder that may be replaced."""


def make_course(folder: Path, situations: Sequence[Situation] = CLASS) -> None:
    """Make ``folder`` a course with the assignment and one submission for each situation.

    Raises:
        AssignmentError: if the folder is there and no earlier demo: it may be a real course.
    """
    if folder.exists():
        here = Path.cwd().is_relative_to(folder.resolve())
        if here or (any(folder.iterdir()) and not (folder / MARK).exists()):
            raise AssignmentError(f"{folder} is there and no earlier demo: name a new folder, or remove it first")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    for config in PROJECT.glob("nbgrader_config.*"):
        shutil.copy(config, folder)
    for name in ("source", "grader_tests"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    spec = load_notebook_spec(
        folder / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", folder / "grader_tests" / ASSIGNMENT
    )
    for situation in situations:
        target = folder / "submitted" / situation.name / ASSIGNMENT
        target.mkdir(parents=True)
        (target / f"{ASSIGNMENT}.ipynb").write_bytes(fill(spec, situation))


def _nbgrader(folder: Path, *arguments: str) -> None:
    # the command of this Python's environment; it calls others (alembic) by name
    command = [sys.executable, "-m", "nbgrader", *arguments, "--log-level=WARN"]
    print("$ nbgrader", *arguments, flush=True)
    subprocess.run(command, cwd=folder, check=True)


def main() -> None:
    """Make the demo course, release, grade, write feedback, print the marks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the demo course; an earlier demo in it is replaced")
    folder: Path = parser.parse_args().folder.resolve()
    try:
        make_course(folder)
    except AssignmentError as error:
        parser.error(str(error))
    _nbgrader(folder, "generate_assignment", ASSIGNMENT)
    _nbgrader(folder, "autograde", ASSIGNMENT)
    _nbgrader(folder, "generate_feedback", ASSIGNMENT)
    _nbgrader(folder, "export", f"--exporter={Report.__module__}.{Report.__name__}", "--to", REPORT)
    coursedir = CourseDirectory(root=str(folder))
    with Gradebook(coursedir.db_url) as gradebook:
        print(marks_table(read_class(gradebook, coursedir, ASSIGNMENT)))
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    print(
        f"\nStudent's notebook:  {shown}/release/{ASSIGNMENT}/{ASSIGNMENT}.ipynb"
        f"\nReport on the class:  {shown}/{REPORT}"
        f"\nFeedback of one student:  {shown}/feedback/partly_right/{ASSIGNMENT}/{ASSIGNMENT}.html"
        f"\nFormgrader:  cd {shown} && {Path(sys.executable).with_name('jupyter')} lab   (menu Nbgrader > Formgrader)"
    )
