"""A wheel, installed in a virtual environment outside the repository, gives a course that releases and grades."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.support.courses import find, marks, result

EXAMPLE = [
    "nbgrader_config.json",
    "nbgrader_config.py",
    "grader_tests/mnist1/test_argmax.py",
    "grader_tests/mnist1/thresholds.json",
    "source/mnist1/mnist1.ipynb",
]
"""Files that every course can start from, and that students must not read."""


def build(project: Path, target: Path, *arguments: str) -> Path:
    """Build a wheel of the project, without a network."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(target), *arguments]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    [wheel] = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(root, tmp_path_factory.mktemp("wheel"), "--target", "wheel")


def test_the_wheel_carries_the_example_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"course_lib/cli/course_files/{name}" for name in EXAMPLE} <= names
    assert {
        "course_lib/mnist_files/train-images-idx3-ubyte.gz",
        "course_lib/reports/templates/report.html.jinja",
    } <= names
    assert {"course_lib/cli/templates/exercise/exercise.ipynb", "course_lib/judge/pipeline.py"} <= names
    assert {name.split("/")[0] for name in names} == {"course_lib", "course_lib-0.1.0.dist-info"}


def test_an_editable_install_copies_nothing(root: Path, tmp_path: Path) -> None:
    """A copy in the Python environment could be read by students' code."""
    names = zipfile.ZipFile(build(root, tmp_path, "--target", "wheel:editable")).namelist()
    assert [name for name in names if ".dist-info/" not in name] == ["_course_lib.pth"]


@dataclass
class Environment:
    """A virtual environment with the installed wheel, and a course made by its commands."""

    folder: Path
    course: Path

    def run(self, *command: str, folder: Path | None = None) -> str:
        """Run one of the environment's commands, by default in the course folder; what it prints."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        programs = [self.folder / "bin", Path(sys.executable).parent]  # nbgrader starts alembic, which is not linked
        environment["PATH"] = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
        python = str(self.folder / "bin" / "python")
        run = subprocess.run(
            [python, "-m", *command],
            cwd=folder or self.course,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout


def link(source: str, target: str) -> None:
    """Link a file, or copy it from another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Iterator[Environment]:
    """The packages of this environment are linked, because torch is large; course_lib comes from the wheel."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "environment")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        packages = sysconfig.get_path("purelib")
        linked = sysconfig.get_path("purelib", vars={"base": str(folder)})
        others = shutil.ignore_patterns("*course_lib*", "include", "typeshed", "mypy*", "scipy*", "selenium*")
        shutil.copytree(packages, linked, ignore=others, copy_function=link, dirs_exist_ok=True)
        environment = Environment(folder, Path(name, "course"))
        environment.run("pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel), folder=Path(name))
        environment.run("course_lib.cli", "init", "course", folder=Path(name))
        environment.run("course_lib.cli", "new", "exercise1")
        environment.run("nbgrader", "generate_assignment", "exercise1")
        yield environment


MODULES = """
import course_lib, importlib, json, os, subprocess, sys

PARTS = ("assignment", "authoring", "cli", "execution", "judge", "nbgrader_plugins", "records", "reference", "reports", "results")
modules = []
for part in PARTS:
    try:
        importlib.import_module(f"course_lib.{part}")
        modules.append(part)
    except ImportError:
        pass

import_all = f"import importlib; [importlib.import_module('course_lib.' + part) for part in {PARTS}]"
alone = subprocess.run([sys.executable, "-I", "-c", import_all], capture_output=True, text=True, cwd="/")
seen = {"library": course_lib.__file__, "modules": modules, "alone": alone.stderr}
"""
"""A student's code that tries to import the judge, also in a program that ignores PYTHONPATH."""

FILES = """
files = []
for folder, folders, names in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/proc", "/dev", "/sys")]
    files += [os.path.join(folder, name) for name in names]
seen["packages"] = [file for file in files if file.endswith("/torch/nn/functional.py")]
seen["secrets"] = [file for file in files if os.path.basename(file) in NAMES and "/site-packages/nbgrader/" not in file]
seen["ours"] = [file for file in files if "course_lib" in file and ".dist-info/" not in file]
"""
"""A student's code that looks for secrets. NAMES stands for the names of secret files."""

ANSWER = """
print(json.dumps(seen))

def mse(y_pred, y):
    return ((y_pred - y) ** 2).mean()
"""


def what_a_student_sees(environment: Environment, code: str, *options: str) -> dict[str, Any]:
    """Grade a right answer with this code before it, and return what the code found."""
    released = nbformat.read(environment.course / "release" / "exercise1" / "exercise1.ipynb", as_version=4)
    find(released, "mse").source = code + ANSWER
    target = environment.course / "submitted" / "spy" / "exercise1"
    target.mkdir(parents=True, exist_ok=True)
    nbformat.write(released, target / "exercise1.ipynb")
    environment.run("nbgrader", "autograde", "exercise1", "--force", *options)
    assert marks(environment.course, "exercise1")["spy"]["test_mse"] == 2
    graded = nbformat.read(environment.course / "autograded" / "spy" / "exercise1" / "exercise1.ipynb", as_version=4)
    seen: dict[str, Any] = json.loads(find(graded, "mse").outputs[0].text)
    return seen


@pytest.mark.long
def test_students_code_finds_only_the_student_half(installed: Environment) -> None:
    names = {*(Path(name).name for name in EXAMPLE), "exercise1.ipynb", "test_mse.py", "gradebook.db"}
    seen = what_a_student_sees(installed, MODULES + FILES.replace("NAMES", repr(names)))
    assert result(installed.course, "spy", "exercise1")["protection"] == "bubblewrap"
    assert len(seen["packages"]) == 1, "the search sees the environment's packages"
    assert seen["secrets"] == []
    assert [file for file in seen["ours"] if not file.startswith("/library/course_lib/")] == []
    folders = {Path(file).parent.relative_to("/library/course_lib").as_posix() for file in seen["ours"]}
    assert folders == {".", "kernel", "mnist_files"}
    assert seen["modules"] == []
    assert "No module named 'course_lib.assignment'" in seen["alone"]


@pytest.mark.long
def test_without_a_sandbox_the_judge_is_not_imported(installed: Environment) -> None:
    """The kernel's own library comes first on Python's path, although the whole package is installed."""
    seen = what_a_student_sees(installed, MODULES, "--JudgedAutograde.protection=none")
    assert seen["modules"] == []
    assert str(installed.folder) not in seen["library"]


@pytest.mark.long
def test_the_doctor_is_content_and_the_example_is_released(installed: Environment, tmp_path: Path) -> None:
    assert "✗" not in installed.run("course_lib.cli", "doctor")
    installed.run("course_lib.cli", "init", "other", "--example", "mnist1", folder=tmp_path)
    installed.run("nbgrader", "generate_assignment", "mnist1", folder=tmp_path / "other")
    released = tmp_path / "other" / "release" / "mnist1"
    assert (released / "course_lib" / "mnist_files" / "train-images-idx3-ubyte.gz").exists()
