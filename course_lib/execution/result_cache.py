"""Results stored under a hash of everything that they depend on: nothing is graded twice, no outdated result is reused.

    course cache            # shows the size of the cache of this course folder
    course cache --empty    # deletes it

A result is a file that is written completely and then renamed. When the cache is full, the least recently used results
are deleted.
"""

import contextlib
from pathlib import Path

from ..files import write_atomically
from ..judge.task import GradedNotebook

RESULTS = ".results"
"""The cache's folder, in nbgrader's folder of graded submissions."""


class ResultCache:
    """The results in a folder.

    Args:
        folder: the folder. It is made if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def get(self, key: str) -> GradedNotebook | None:
        """The result under ``key``; None if there is none, or if it cannot be read."""
        path = self._path(key)
        try:
            graded = GradedNotebook.from_json(path.read_text(), key)
            path.touch()  # marks it as used
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            # missing, damaged, or the result of another submission: it is graded again, and replaced
            return None
        return graded

    def put(self, key: str, graded: GradedNotebook) -> None:
        """Store a result."""
        write_atomically(self._path(key), graded.to_json(key).encode())


def shrink(folder: Path, size: int) -> None:
    """Delete the least recently used files of a cache, until at most ``size`` bytes are left."""
    files = []
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another command that shares the folder has deleted it
            if path.is_file() and path.suffix != ".lock":
                files.append((path.stat(), path))
    excess = sum(stat.st_size for stat, _ in files) - size
    for stat, path in sorted(files, key=lambda entry: entry[0].st_mtime_ns):
        if excess <= 0:
            break
        excess -= stat.st_size
        path.unlink(missing_ok=True)
