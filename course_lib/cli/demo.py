"""Make a course folder with a demo class, and grade it with nbgrader's own commands.

    course demo demo

The folder gets a copy of the assignment mnist1. Real submissions and the real gradebook are never touched.
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
from ..nbgrader_plugins.exporters import Report
from ..records.class_record import read_class
from ..reports.marks_table import marks_table
from ..results.errors import AssignmentError
from .demo_class import CLASS, DemoStudent, fill
from .init import copy_course_files

ASSIGNMENT = "mnist1"
REPORT = "report.html"
MARKER_FILE = ".demo"
"""The name of an empty file in each demo course. Only a folder with this file may be replaced."""


def make_course(folder: Path, situations: Sequence[DemoStudent] = CLASS) -> None:
    """Make a course folder with the assignment and one submission for each situation.

    Args:
        folder: a new folder or an earlier demo, which is replaced.
        situations: one for each student.

    Raises:
        AssignmentError: if the folder exists and is not an earlier demo, because it may be a real course.
    """
    if folder.exists():
        here = Path.cwd().is_relative_to(folder.resolve())
        if here or (any(folder.iterdir()) and not (folder / MARKER_FILE).exists()):
            raise AssignmentError(f"{folder} exists and is not an earlier demo: name a new folder, or remove it first")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER_FILE).touch()
    copy_course_files(folder, ASSIGNMENT)
    spec = load_notebook_spec(
        folder / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", folder / "grader_tests" / ASSIGNMENT
    )
    for situation in situations:
        target = folder / "submitted" / situation.name / ASSIGNMENT
        target.mkdir(parents=True)
        (target / f"{ASSIGNMENT}.ipynb").write_bytes(fill(spec, situation))


def _nbgrader(folder: Path, *arguments: str) -> None:
    """Run an nbgrader command of this Python environment in the course folder."""
    command = [sys.executable, "-m", "nbgrader", *arguments, "--log-level=WARN"]
    print("$ nbgrader", *arguments, flush=True)
    subprocess.run(command, cwd=folder, check=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``course demo``."""
    parser.add_argument("folder", type=Path, help="the new course folder; an earlier demo in it is replaced")


def run(arguments: argparse.Namespace) -> None:
    """Make the demo course, release, grade, write feedback pages and a report, and print the marks."""
    folder: Path = arguments.folder.resolve()
    try:
        make_course(folder)
    except AssignmentError as error:
        sys.exit(f"course demo: {error}")
    _nbgrader(folder, "generate_assignment", ASSIGNMENT)
    _nbgrader(folder, "autograde", ASSIGNMENT)
    _nbgrader(folder, "generate_feedback", ASSIGNMENT)
    _nbgrader(folder, "export", f"--exporter={Report.__module__}.{Report.__name__}", "--to", REPORT)
    coursedir = CourseDirectory(root=str(folder))
    with Gradebook(coursedir.db_url) as gradebook:
        print(marks_table(read_class(gradebook, coursedir, ASSIGNMENT)))
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    print(
        f"\nStudent's notebook:       {shown}/release/{ASSIGNMENT}/{ASSIGNMENT}.ipynb"
        f"\nReport on the class:      {shown}/{REPORT}"
        f"\nFeedback of one student:  {shown}/feedback/partly_right/{ASSIGNMENT}/{ASSIGNMENT}.html"
        f"\nFormgrader:               cd {shown} && {Path(sys.executable).with_name('jupyter')} lab   "
        "(menu Nbgrader > Formgrader)"
    )
