"""Every patch of nbgrader and nbclient, with its reason. Nothing else in the kit replaces their code."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any


def patch_nbclient() -> None:
    """Limit the time that nbclient takes on a cell's printed text.

    nbclient 0.11 searches for a carriage return starting at every character. A 4 MB line without one takes over an
    hour; anchored to line starts, the search takes milliseconds.
    """
    import nbclient.client

    nbclient.client._RGX_CARRIAGERETURN = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)


def patch_nbgrader(
    autograde: type[Any],
    timestamp: Callable[[Any, str], datetime | None],
    due: Callable[[Any], datetime | None],
) -> None:
    """Replace three parts of nbgrader 0.9.6 with the kit's.

    Args:
        autograde: the class behind ``nbgrader autograde`` and formgrader's button. nbgrader has no setting for it.
        timestamp: replaces ``CourseDirectory.get_existing_timestamp``, which follows links out of a submission and
            raises an exception for a time that it cannot read.
        due: replaces ``SubmittedAssignment.duedate``, which raises an exception for a student with an extension when
            the assignment has no due date.
    """
    import nbgrader.apps.api
    import nbgrader.apps.autogradeapp
    from nbgrader.api import SubmittedAssignment
    from nbgrader.coursedir import CourseDirectory

    nbgrader.apps.autogradeapp.Autograde = autograde
    nbgrader.apps.api.Autograde = autograde
    CourseDirectory.get_existing_timestamp = timestamp
    SubmittedAssignment.duedate = property(due)
