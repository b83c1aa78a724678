"""Results kept under a hash of all that they depend on: nothing is graded twice, nothing outdated is taken for current.

    course cache            # how much there is, in this course folder
    course cache --empty    # forget all of it

A result is a file, written whole and then renamed. What was not used for longest goes when there is too much.
"""

import contextlib
from pathlib import Path

from ..files import write_whole
from ..judge.task import GradedNotebook

RESULTS = ".results"
"""The store's folder, in nbgrader's folder of graded submissions."""


class ResultCache:
    """The results in a folder.

    Args:
        folder: made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def get(self, key: str) -> GradedNotebook | None:
        """The result under ``key``; None when there is none, or none that can be read."""
        path = self._path(key)
        try:
            graded = GradedNotebook.from_json(path.read_text(), key)
            path.touch()  # used now
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            # none, or damaged, or that of another submission: it is graded again, and replaced
            return None
        return graded

    def put(self, key: str, graded: GradedNotebook) -> None:
        """Keep a result."""
        write_whole(self._path(key), graded.to_json(key).encode())


def shrink(folder: Path, size: int) -> None:
    """Remove the files of a store that were not used for longest, until ``size`` bytes are left."""
    files = []
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another command that shares the folder has removed it
            if path.is_file() and path.suffix != ".lock":
                files.append((path.stat(), path))
    excess = sum(stat.st_size for stat, _ in files) - size
    for stat, path in sorted(files, key=lambda entry: entry[0].st_mtime_ns):
        if excess <= 0:
            break
        excess -= stat.st_size
        path.unlink(missing_ok=True)
