"""Make a new course folder: nbgrader's configuration and the folders that nbgrader uses.

    course init mycourse
    course init mycourse --example mnist1

The folder may exist already. Nothing in it is overwritten.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from ..files import PACKAGE

_INSTALLED = Path(__file__).parent / "course_files"
COURSE_FILES = _INSTALLED if _INSTALLED.is_dir() else PACKAGE.parent
"""The folder with the configuration files and the example assignments. An editable install reads the repository."""

EXAMPLES = ("mnist1",)
"""The assignments that a course can start with."""

CONFIGURATION = ("nbgrader_config.py", "nbgrader_config.json")

FOLDERS = {
    "source": "your notebooks, with answers",
    "grader_tests": "hidden tests",
    "release": "what students get; nbgrader generate_assignment writes it",
    "submitted": "what students hand in: <student>/<assignment>/<notebook>.ipynb",
    "autograded": "graded notebooks; nbgrader autograde writes them",
    "feedback": "pages for students; nbgrader generate_feedback writes them",
}

NEXT_STEPS = """{folder} is now a course:

{folders}

Next:

    cd {folder}
{make}    course doctor                            # checks this machine and the course
    nbgrader generate_assignment {name:11} # writes release/{name}
    nbgrader autograde {name:21} # grades what is in submitted/

Settings are in nbgrader_config.py."""


def copy_course_files(folder: Path, *assignments: str) -> None:
    """Copy the configuration and example assignments into a course folder.

    Args:
        folder: the course folder, which must exist.
        assignments: some of :data:`EXAMPLES`.

    Raises:
        ValueError: if one of the files exists already. Nothing is copied then. The message names the file.
    """
    names = [*CONFIGURATION, *(f"{kind}/{name}" for name in assignments for kind in ("source", "grader_tests"))]
    for name in names:
        if os.path.lexists(folder / name):
            raise ValueError(f"{folder / name} exists already. Nothing was written: name another folder, or remove it")
    for name in names:
        if (COURSE_FILES / name).is_dir():
            shutil.copytree(COURSE_FILES / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copyfile(COURSE_FILES / name, folder / name)


def make_course_folder(folder: Path, *assignments: str) -> None:
    """Turn a folder into a course.

    Args:
        folder: the folder, which may exist.
        assignments: some of :data:`EXAMPLES`.

    Raises:
        ValueError: if it would overwrite something, or nbgrader cannot work in that folder; the message says why.
    """
    if unusual := unusual_characters(folder):
        raise ValueError(f"{folder} has {unusual} in its path, which nbgrader cannot handle: choose another folder")
    for path in (folder, *(folder / name for name in FOLDERS)):
        if path.exists() and not path.is_dir():
            raise ValueError(f"{path} is a file. Nothing was written: name another folder, or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    copy_course_files(folder, *assignments)
    for name in FOLDERS:
        (folder / name).mkdir(exist_ok=True)


def unusual_characters(folder: Path) -> str:
    """The characters in a folder's path that nbgrader takes for a pattern or a variable; empty if there are none."""
    return " ".join(sorted(set("[]*?{}$%") & set(str(folder.resolve()))))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``course init``."""
    parser.add_argument("folder", type=Path, help="the course folder; it is made if it does not exist")
    parser.add_argument("--example", choices=EXAMPLES, help="also copy this assignment, with its hidden tests")


def run(arguments: argparse.Namespace) -> None:
    """Make the course folder and print the next steps."""
    folder: Path = arguments.folder
    try:
        make_course_folder(folder, *[arguments.example] if arguments.example else [])
    except ValueError as error:
        sys.exit(f"course init: {error}")
    folders = "\n".join(f"    {name:13} {purpose}" for name, purpose in FOLDERS.items())
    name = arguments.example or "exercise1"
    make = "" if arguments.example else f"    course new {name:29} # makes a small assignment\n"
    print(NEXT_STEPS.format(folder=folder, folders=folders, name=name, make=make))
