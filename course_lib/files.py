"""The package's own folder, the cache folder, and files that are written completely or not at all."""

import os
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["PACKAGE", "cache_folder", "write_atomically"]

PACKAGE = Path(__file__).parent
"""The folder of course_lib."""


def cache_folder() -> Path:
    """The folder for the unpacked MNIST files and the judge's finished training runs.

    The environment variable ``COURSE_LIB_CACHE`` names it; otherwise it is in the user's cache folder.
    """
    named = os.environ.get("COURSE_LIB_CACHE")
    return Path(named) if named else user_cache_path("course_lib", appauthor=False)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file completely or not at all, even if the program is interrupted or others are reading the file.

    Args:
        path: the file; an existing one is replaced.
        content: the new content.

    Raises:
        OSError: if the file cannot be written; the error names ``path``.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError):  # when the disk is full, the system's message names no file
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
