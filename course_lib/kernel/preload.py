"""The modules that a kernel of this assignment imports before any student code runs.

The judge writes their names into a file next to course_lib: what the source notebooks import.
"""

from pathlib import Path

PRELOAD = "preload.txt"
"""The file that names the modules, one on each line."""

LAZY = {
    "course_lib": ("course_lib.training", "course_lib.plots"),
    "pandas": ("pandas.plotting._matplotlib",),
}
"""By package: modules that it imports when they are first used, which takes long."""


def modules() -> list[str]:
    """The names of the modules, in the order in which they are imported."""
    try:
        names = (Path(__file__).parents[2] / PRELOAD).read_text(encoding="utf-8").split()
    except FileNotFoundError:  # course_lib runs where it is installed, as in a test
        names = ["course_lib"]
    return list(dict.fromkeys(later for name in names for later in (*LAZY.get(name, ()), name)))
