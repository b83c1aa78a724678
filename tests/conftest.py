"""What the tests share: the assignment, and one demo class graded by the real commands."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import pytest
from nbgrader.api import Gradebook

from course_lib.grading.assignment import NotebookSpec, load_notebook_spec
from course_lib.grading.demo import make_course
from course_lib.grading.session import kernel_folder
from course_lib.messages import set_language

matplotlib.use("agg")

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def french() -> Iterator[None]:
    """Each test starts in the default language."""
    set_language("fr")
    yield
    set_language("fr")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def spec() -> NotebookSpec:
    """The notebook of mnist1."""
    return load_notebook_spec(ROOT / "source" / "mnist1" / "mnist1.ipynb", ROOT / "grader_tests" / "mnist1")


@pytest.fixture(scope="session")
def library() -> Iterator[Path]:
    """What a student's kernel imports."""
    with tempfile.TemporaryDirectory() as folder:
        yield kernel_folder(Path(folder))


def nbgrader(folder: Path, *arguments: str, language: str = "fr") -> subprocess.CompletedProcess[str]:
    """Run an nbgrader command in a course folder."""
    environment = os.environ | {"COURSE_LIB_LANG": language}
    command = [sys.executable, "-m", "nbgrader", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, check=False)


@dataclass
class Course:
    """A graded course folder."""

    folder: Path
    autograde: subprocess.CompletedProcess[str]
    """The run of `nbgrader autograde mnist1`."""

    def gradebook(self) -> Gradebook:
        """The course's gradebook; to be used in a `with`."""
        return Gradebook(f"sqlite:///{self.folder / 'gradebook.db'}")

    def autograded(self, student: str) -> Path:
        """The autograded notebook of a student."""
        return self.folder / "autograded" / student / "mnist1" / "mnist1.ipynb"

    def feedback(self, student: str) -> str:
        """The feedback page of a student."""
        return (self.folder / "feedback" / student / "mnist1" / "mnist1.html").read_text()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The demo class, graded by the stock commands in a folder of its own."""
    folder = tmp_path_factory.mktemp("demo") / "course"
    make_course(folder)
    generated = nbgrader(folder, "generate_assignment", "mnist1")
    assert generated.returncode == 0, generated.stderr
    autograde = nbgrader(folder, "autograde", "mnist1")
    feedback = nbgrader(folder, "generate_feedback", "mnist1")
    assert feedback.returncode == 0, feedback.stderr
    return Course(folder, autograde)
