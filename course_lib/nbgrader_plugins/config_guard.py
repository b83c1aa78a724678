"""Stop nbgrader if ``nbgrader_config.py`` cannot be loaded.

nbgrader only logs an error in ``nbgrader_config.py`` and continues without the file. It would run students' code
unprotected, and overwrite all marks with its own. So ``nbgrader_config.json``, which nbgrader loads even then, names
:data:`hook` as a hook of its commands. The hook exists only after ``nbgrader_config.py`` has called :func:`configured`
in its last line.
"""

from typing import Any

from nbgrader.converters.base import NbGraderException


def configured() -> None:
    """Declare that nbgrader_config.py was fully loaded. Call this in its last line; until then, no command runs."""
    globals()["hook"] = lambda **_: None


def __getattr__(name: str) -> Any:
    if name == "hook":
        raise NbGraderException(
            "nbgrader_config.py was not fully loaded (see the error above). nbgrader stops here, because it would "
            "run students' code unprotected. Correct the file; 'course doctor' shows the line."
        )
    raise AttributeError(name)
