"""Course folders, and nbgrader's commands in them."""

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory

from course_lib.cli.demo import make_course
from course_lib.cli.demo_class import CLASS
from course_lib.records.class_record import ClassRecord, read_class

PROTECTIONS = ["bubblewrap", pytest.param("none", marks=pytest.mark.long)]
"""Values of ``c.JudgedAutograde.protection``, for tests that run with each of them."""

ONE_THREAD = "c.JudgedAutograde.limits = {'threads': 1}"
"""A line of configuration: other tests run at the same time, and two threads would wait for each other."""


def configure(folder: Path, *lines: str) -> None:
    """Add lines to the configuration of a course."""
    with (folder / "nbgrader_config.py").open("a") as config:
        config.writelines(f"{line}\n" for line in lines)


def find(notebook: NotebookNode, name: str) -> Any:
    """Return the cell whose ``grade_id`` is ``name``."""
    return next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name)


def nbgrader(folder: Path, *arguments: str, language: str = "fr") -> subprocess.CompletedProcess[str]:
    """Run an nbgrader command in a course folder."""
    environment = os.environ | {"COURSE_LIB_LANG": language}
    command = [sys.executable, "-m", "nbgrader", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, check=False)


def course(folder: Path, *arguments: str, language: str = "en") -> subprocess.CompletedProcess[str]:
    """Run the `course` command in a course folder."""
    environment = os.environ | {"COURSE_LIB_LANG": language}
    command = [sys.executable, "-m", "course_lib.cli", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, check=False)


def open_gradebook(folder: Path) -> Gradebook:
    """Open the gradebook of a course; use it in a ``with`` statement."""
    return Gradebook(f"sqlite:///{folder / 'gradebook.db'}")


def marks(folder: Path, assignment: str) -> dict[str, dict[str, float]]:
    """Return the automatic marks in a course's gradebook, by student and grade cell."""
    with open_gradebook(folder) as gradebook:
        return {
            s.student.id: {g.name: g.auto_score for n in s.notebooks for g in n.grades}
            for s in gradebook.assignment_submissions(assignment)
        }


def grade(folder: Path, *more: str) -> dict[str, dict[str, float]]:
    """Release ``mnist1`` and grade its submissions with nbgrader's commands; return the marks."""
    for command in ("generate_assignment", "autograde"):
        done = nbgrader(folder, command, "mnist1", *more)
        assert done.returncode == 0, done.stderr
    return marks(folder, "mnist1")


def result(folder: Path, student: str, assignment: str) -> dict[str, Any]:
    """Return the judge's result from a student's autograded notebook, which is named after the assignment."""
    path = folder / "autograded" / student / assignment / f"{assignment}.ipynb"
    found: dict[str, Any] = nbformat.read(path, as_version=4).metadata["course_lib"]
    return found


def short_course(folder: Path) -> None:
    """Make a course whose notebook ends before the first training, with one student, anna, who is partly right."""
    make_course(folder, [replace(one, name="anna") for one in CLASS if one.name == "partly_right"])
    configure(folder, "c.JudgedAutograde.workers = 1", ONE_THREAD)
    for path in (folder / "source" / "mnist1", folder / "submitted" / "anna" / "mnist1"):
        notebook = nbformat.read(path / "mnist1.ipynb", as_version=4)
        last = next(i for i, cell in enumerate(notebook.cells) if cell.id == "test_softmax")
        notebook.cells = notebook.cells[: last + 1]
        nbformat.write(notebook, path / "mnist1.ipynb")
    for tests in (folder / "grader_tests" / "mnist1").glob("test_*.py"):
        if tests.stem not in [cell.id for cell in notebook.cells]:
            tests.unlink()


@dataclass
class Course:
    """A graded course folder."""

    folder: Path
    autograde: subprocess.CompletedProcess[str]
    """The command that graded it."""

    def gradebook(self) -> Gradebook:
        """Open the course's gradebook; use it in a ``with`` statement."""
        return open_gradebook(self.folder)

    def record(self) -> ClassRecord:
        """Return the class record of ``mnist1``, which the exports read."""
        coursedir = CourseDirectory(root=str(self.folder))
        with self.gradebook() as gradebook:
            return read_class(gradebook, coursedir, "mnist1")

    def autograded(self, student: str) -> Path:
        """Return the path of a student's autograded notebook of ``mnist1``."""
        return self.folder / "autograded" / student / "mnist1" / "mnist1.ipynb"

    def feedback(self, student: str) -> str:
        """Return a student's feedback page of ``mnist1``."""
        return (self.folder / "feedback" / student / "mnist1" / "mnist1.html").read_text()
