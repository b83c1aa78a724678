"""Keeps nbgrader from working without the kit: ``nbgrader_config.json`` names :data:`hook` as a hook of its commands.

When ``nbgrader_config.py`` has an error, nbgrader logs it and goes on as if there were no such file: students' code
would run unprotected, and all marks would be nbgrader's own. The other file is read all the same, and what it names is
only there once the first one was loaded to its end.
"""

from typing import Any

from nbgrader.converters.base import NbGraderException

__all__ = ["configured"]


def configured() -> None:
    """Let nbgrader's commands work."""
    globals()["hook"] = lambda **_: None


def __getattr__(name: str) -> Any:
    if name == "hook":
        raise NbGraderException(
            "nbgrader_config.py was not loaded to its end (the error stands above). Nothing was done: without it, "
            "nbgrader would run students' code unprotected. 'course doctor' names the line"
        )
    raise AttributeError(name)
