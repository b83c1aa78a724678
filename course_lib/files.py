"""The cache folder, and files that are written whole or not at all."""

import os
import sys
import tempfile
from pathlib import Path

__all__ = ["cache_folder", "write_whole"]


def cache_folder() -> Path:
    """Where MNIST is unpacked and the judge keeps trainings: ``COURSE_LIB_CACHE``, else the user's cache folder."""
    named = os.environ.get("COURSE_LIB_CACHE")
    if named:
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "course_lib"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "course_lib"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, whenever the writing ends, and for whoever looks meanwhile."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError):  # of a full disk, the system says everything but where
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


PACKAGE = Path(__file__).parent
"""The folder of course_lib."""
