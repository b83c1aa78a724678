"""Add a small working assignment to the course: one function to write, its hidden tests, one free-text question.

    course new exercise2

Run this in the course folder. You can release and grade the new assignment at once, and then change it. Existing files
are not changed.
"""

import argparse
import re
import sys
from pathlib import Path

TEMPLATE = Path(__file__).parent / "templates" / "exercise"

NAME = r"[A-Za-z][A-Za-z0-9_-]{0,49}"
"""Names of assignments: they become part of paths, of addresses and of names in nbgrader's exchange."""

NEXT_STEPS = """{made}

Change these files to your exercise, then run

    nbgrader generate_assignment {name}    # writes release/{name}, what students get
    nbgrader autograde {name}              # grades submitted/<student>/{name}/{name}.ipynb

`autograde` grades the answers in the source notebook first, and names each hidden test that they do not pass."""


def make_assignment(course: Path, name: str) -> list[Path]:
    """Write the source notebook and the hidden tests of a new assignment.

    Args:
        course: the course folder.
        name: the name of the assignment and its notebook.

    Returns:
        The new files.

    Raises:
        ValueError: if the name is not allowed, the folder is not a course, or the assignment exists; the message says
            how to fix it.
    """
    if not re.fullmatch(NAME, name):
        raise ValueError(
            f"'{name}' cannot be the name of an assignment. Use up to 50 letters without accents, digits, '_' and '-', "
            "and begin with a letter"
        )
    if not (course / "nbgrader_config.py").exists():
        raise ValueError(
            f"{course} has no nbgrader_config.py: run this in the course folder. 'course init FOLDER' makes a new one"
        )
    folders = {".ipynb": course / "source" / name, ".py": course / "grader_tests" / name}
    for folder in folders.values():
        if folder.exists():
            raise ValueError(f"{folder} exists already. Nothing was written: choose another name, or remove it")
    made = []
    for path in sorted(TEMPLATE.glob("*.*")):
        folder = folders[path.suffix]
        folder.mkdir(parents=True, exist_ok=True)
        made.append(folder / path.name.replace("exercise", name))
        made[-1].write_text(path.read_text(encoding="utf-8").replace("ASSIGNMENT", name), encoding="utf-8")
    return made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``course new``."""
    parser.add_argument("name", help="of the assignment, such as exercise2")


def run(arguments: argparse.Namespace) -> None:
    """Make the assignment and print the next steps."""
    try:
        made = make_assignment(Path.cwd(), arguments.name)
    except ValueError as error:
        sys.exit(f"course new: {error}")
    shown = "\n".join(str(path.relative_to(Path.cwd())) for path in made)
    print(NEXT_STEPS.format(made=shown, name=arguments.name))
