"""Read what was handed in as if every file were a trap: a link to the answers, a pipe, a device, too many bytes."""

import os
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

from nbgrader.utils import parse_utc

from ..messages import say
from .rebuild import UnreadableNotebook

__all__ = ["MAX_NOTEBOOK", "STAMP", "read_plain", "read_stamp", "read_submitted", "timestamp"]

STAMP = "timestamp.txt"

MAX_NOTEBOOK = 256 * 2**20
"""Bytes: outputs of 200 MB happen."""

MAX_STAMP = 100


def read_plain(path: Path, most: int) -> bytes:
    """The content of a plain file; OSError for anything else, ValueError for more than ``most`` bytes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is not a plain file")
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{path} has more than {most} bytes")
    return content


def read_submitted(path: Path) -> bytes:
    """The bytes of ``submitted/<student>/<assignment>/<notebook>.ipynb``; none when it is not there.

    Raises:
        UnreadableNotebook: if the file, or one of its two folders, is a link or otherwise not what it should be.
    """
    if path.parent.is_symlink() or path.parents[1].is_symlink():
        raise UnreadableNotebook(say("rebuild.no_file"))
    try:
        return read_plain(path, MAX_NOTEBOOK)
    except FileNotFoundError:
        return b""
    except ValueError as error:
        raise UnreadableNotebook(say("rebuild.too_large")) from error
    except OSError as error:
        raise UnreadableNotebook(say("rebuild.no_file")) from error


def read_stamp(folder: Path) -> bytes | None:
    """The time stamp file of a submission; None when there is none that says a time."""
    try:
        content = read_plain(folder / STAMP, MAX_STAMP)
        parse_utc(content.decode().strip())
    except Exception:  # no such file, or anything that a parser of dates may raise
        return None
    return content


def timestamp(coursedir: Any, folder: str) -> datetime | None:
    """When a submission was handed in, in UTC: nbgrader's ``get_existing_timestamp``, which trusts the file, mended."""
    content = read_stamp(Path(folder))
    found: datetime | None = None if content is None else parse_utc(content.decode().strip())
    return found
