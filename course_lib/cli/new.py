"""Make a new assignment to start from: one function to write, its hidden tests, one free text.

    course new exercise2

Run in the course's folder. The new assignment can be released and graded as it is; nothing that is there is changed.
"""

import argparse
import re
import sys
from pathlib import Path

__all__ = ["main", "make_assignment"]

TEMPLATE = Path(__file__).parent / "templates" / "exercise"

NAME = r"[A-Za-z][A-Za-z0-9_-]{0,49}"
"""What an assignment can be called: it becomes part of paths, addresses and of names in nbgrader's exchange."""

NEXT_STEPS = """{made}

Change them to what you want to ask, then

    nbgrader generate_assignment {name}    # writes release/{name}, what students get
    nbgrader autograde {name}              # grades submitted/<student>/{name}/{name}.ipynb

`autograde` grades the answers in the source first: a hidden test that does not fit them is named."""


def make_assignment(course: Path, name: str) -> list[Path]:
    """Write source and hidden tests of a new assignment.

    Args:
        course: the course's folder.
        name: of the assignment and its notebook.

    Returns:
        The new files.

    Raises:
        ValueError: if nothing can be made; the message says why.
    """
    if not re.fullmatch(NAME, name):
        raise ValueError(
            f"'{name}' cannot be the name of an assignment: letters (no accents), digits, '_' and '-' can, "
            "50 at most, the first one a letter"
        )
    if not (course / "nbgrader_config.py").exists():
        raise ValueError(
            f"{course} has no nbgrader_config.py: run this in the course's folder. A new course begins with copies of "
            "the kit's nbgrader_config.py and nbgrader_config.json"
        )
    folders = {".ipynb": course / "source" / name, ".py": course / "grader_tests" / name}
    for folder in folders.values():
        if folder.exists():
            raise ValueError(f"{folder} is there already: choose another name, or remove it")
    made = []
    for path in sorted(TEMPLATE.glob("*.*")):
        folder = folders[path.suffix]
        folder.mkdir(parents=True, exist_ok=True)
        made.append(folder / path.name.replace("exercise", name))
        made[-1].write_text(path.read_text(encoding="utf-8").replace("ASSIGNMENT", name), encoding="utf-8")
    return made


def main() -> None:
    """Make the assignment and say what comes next."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of the assignment, such as exercise2")
    name: str = parser.parse_args().name
    try:
        made = make_assignment(Path.cwd(), name)
    except ValueError as error:
        sys.exit(f"course new: {error}")
    shown = "\n".join(str(path.relative_to(Path.cwd())) for path in made)
    print(NEXT_STEPS.format(made=shown, name=name))
