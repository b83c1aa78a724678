"""Read what was handed in as if every file were a trap: a link to the answers, a pipe, a device, too many bytes."""

import contextlib
import os
import re
import stat
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Any

from dateutil.tz import gettz
from nbgrader.utils import parse_utc

from ..judge.rebuild import UnreadableNotebook
from ..messages import say

__all__ = [
    "MAX_UPLOAD", "SECRET", "STAMP", "read_plain", "read_receipt", "read_stamp", "read_submitted", "stamped_time",
    "timestamp",
]  # fmt: skip

STAMP = "timestamp.txt"

SECRET = "submission_secret.txt"
"""By which ``nbgrader release_feedback`` and ``fetch_feedback`` find each other."""

MAX_NOTEBOOK = 256 * 2**20
"""Bytes: outputs of 200 MB happen."""

MAX_UPLOAD = 2 * MAX_NOTEBOOK
"""Bytes of all that one student handed in."""

MAX_STAMP = 100


def read_plain(path: Path, most: int, folder: int | None = None) -> bytes:
    """The content of a plain file; OSError for anything else, ValueError for more than ``most`` bytes.

    Args:
        path: the file.
        most: bytes.
        folder: descriptor of the folder that a relative ``path`` starts in.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{str(path)!r} is not a plain file")
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{str(path)!r} has more than {most} bytes")
    return content


def read_submitted(path: Path, source: Path) -> bytes:
    """The bytes of ``submitted/<student>/<assignment>/<notebook>.ipynb``, or of the one file of all but that name.

    Args:
        path: of the file.
        source: folder of the source notebooks: a file with the name of one of them is no other one that was renamed.

    Raises:
        UnreadableNotebook: if it is not there, or if it or one of its two folders is a link or otherwise not what it
            should be.
    """
    if path.parent.is_symlink() or path.parents[1].is_symlink():
        raise UnreadableNotebook(say("rebuild.no_file"))
    found, others = path, []
    if not os.path.lexists(path):
        others = [other for other in sorted(path.parent.glob("*.ipynb")) if not (source / other.name).exists()]
        same = [other for other in others if _folded(other.name) == _folded(path.name)]
        found = same[0] if len(same) == 1 else path
    try:
        return read_plain(found, MAX_NOTEBOOK)
    except FileNotFoundError as error:
        there = say("rebuild.others", names=", ".join(repr(other.name) for other in others[:5])) if others else ""
        raise UnreadableNotebook(say("rebuild.not_there", name=path.name) + there) from error
    except ValueError as error:
        raise UnreadableNotebook(say("rebuild.too_large", size=MAX_NOTEBOOK >> 20)) from error
    except OSError as error:
        raise UnreadableNotebook(say("rebuild.no_file")) from error


def _folded(name: str) -> str:
    """What a file system that takes é for e and an accent, or a capital for a small letter, may change in a name."""
    return unicodedata.normalize("NFC", name).casefold()


def stamped_time(stamp: bytes) -> datetime:
    """The time in a time stamp file, in UTC: nbgrader's ``parse_utc``, mended for what stands behind a space.

    It takes +0200 for 200 seconds, and a zone that this machine does not know, such as CEST, for UTC.

    Raises:
        Exception: anything that a parser of dates may raise.
    """
    text = re.sub(r" (?=(?:Z|[+-]\d\d:?\d\d)$)", "", stamp.decode().strip())
    words = text.split(" ")
    if len(words) == 3 and gettz(words[2]) is None:
        raise ValueError(f"{words[2]!r} is no time zone that is known here")
    found: datetime = parse_utc(text)
    return found


def read_stamp(folder: Path) -> bytes | None:
    """The time stamp file of a submission; None when there is none that says a time in a zone that is known."""
    try:
        content = read_plain(folder / STAMP, MAX_STAMP)
        stamped_time(content)
    except Exception:  # no such file, or anything that a parser of dates may raise
        return None
    return content


def read_receipt(folder: Path) -> dict[str, bytes]:
    """What ``nbgrader submit`` wrote beside a submission: time stamp and secret by file name, where they are there."""
    stamp = read_stamp(folder)
    found = {} if stamp is None else {STAMP: stamp}
    with contextlib.suppress(OSError, ValueError):
        secret = read_plain(folder / SECRET, 1000)
        if re.fullmatch(rb"[0-9a-f]+", secret):
            found[SECRET] = secret
    return found


def timestamp(coursedir: Any, folder: str) -> datetime | None:
    """When a submission was handed in, in UTC: nbgrader's ``get_existing_timestamp``, which trusts the file, mended."""
    content = read_stamp(Path(folder))
    return None if content is None else stamped_time(content)
