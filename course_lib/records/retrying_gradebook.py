"""Opens nbgrader's gradebook, and retries while another program has it locked."""

import contextlib
import time
from collections.abc import Callable
from logging import Logger
from typing import Self, TypeVar

from nbgrader.api import Gradebook, InvalidEntry
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from ..results.errors import GraderError

LOCK_TIMEOUT = 60
"""Seconds to wait for a gradebook that another program has locked."""

T = TypeVar("T")


class RetryingGradebook:
    """nbgrader's gradebook, open as long as a command runs.

    Args:
        url: URL of the database.
        course: id of the course.
        log: gets a warning while the gradebook is locked.
    """

    def __init__(self, url: str, course: str, log: Logger) -> None:
        self._url = url
        self._log = log
        self._patience: float = LOCK_TIMEOUT
        self._gradebook: Gradebook | None = None
        self._gradebook = self._retry_while_locked(lambda _: Gradebook(url, course))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._gradebook is not None:
            self._gradebook.close()

    def _retry_while_locked(self, action: Callable[..., T], *more: object) -> T:
        """Call ``action`` with the gradebook and ``more``. Retry while another program has the gradebook locked.

        Raises:
            GraderError: if the gradebook stays locked, or cannot be used at all.
        """
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return action(self._gradebook, *more)
            except (DatabaseError, InvalidEntry) as error:  # nbgrader turns some of the first into the second
                self._rollback()
                why = str(error).splitlines()[0]  # the other lines are SQL and a link
                if "locked" not in why:
                    raise GraderError(
                        f"{self._url}: {why}. Check that the file is writable. If it is damaged, restore a backup "
                        "of it. Then run the command again"
                    ) from error
                if time.monotonic() > deadline:
                    self._patience = 0  # the next submissions do not wait
                    raise GraderError(
                        f"{self._url} is locked by another program: close that program, then run the command again"
                    ) from error
                self._log.warning("The gradebook is locked by another program: waiting for it")
                time.sleep(1)
            except BaseException:
                with contextlib.suppress(SQLAlchemyError):  # refused if the interrupt came during a commit
                    self._rollback()
                raise

    def _rollback(self) -> None:
        """Roll back an unfinished transaction."""
        if self._gradebook is not None:
            self._gradebook.db.rollback()
