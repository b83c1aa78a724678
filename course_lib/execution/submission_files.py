"""Read submitted files safely. Any of them may be a link to the answers, a pipe, a device, or far too large."""

import contextlib
import os
import re
import stat
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from dateutil.tz import gettz
from nbgrader.utils import parse_utc

from ..files import PACKAGE
from ..judge.read_notebook import UnreadableNotebook
from ..messages import say

STAMP = "timestamp.txt"
"""The file to which ``nbgrader submit`` writes the time of the submission."""

SECRET = "submission_secret.txt"
"""The file by which ``nbgrader fetch_feedback`` finds what ``nbgrader release_feedback`` has released."""

MAX_NOTEBOOK = 256 * 2**20
"""Largest size of a notebook, in bytes. Some have outputs of 200 MB."""

MAX_UPLOAD = 2 * MAX_NOTEBOOK
"""Largest total size of one student's files, in bytes."""

MAX_BESIDE, MAX_BESIDE_BYTES = 1000, 64 * 2**20
"""Number and bytes of the files that a student may hand in beside the notebooks."""

MAX_STAMP, MAX_SECRET = 100, 1000
"""Largest sizes of these files, in bytes."""


class MissingNotebook(UnreadableNotebook):
    """The student handed in no notebook of this name, and none that could be meant."""


def read_plain(path: Path, max_bytes: int, folder: int | None = None) -> bytes:
    """Read a plain file; never follow a link or wait for a pipe.

    Args:
        path: the file.
        max_bytes: the largest size of the file, in bytes.
        folder: descriptor of the folder that a relative ``path`` is in.

    Raises:
        OSError: if it cannot be read, or is not a plain file.
        ValueError: if it has more than ``max_bytes`` bytes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{str(path)!r} is not a plain file")
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"{str(path)!r} has more than {max_bytes} bytes")
    return content


def read_submitted(path: Path, source: Path) -> bytes:
    """Read ``submitted/<student>/<assignment>/<notebook>.ipynb``.

    If there is no such file, read a file whose name differs only in case or Unicode normalization.

    Args:
        path: the file.
        source: folder of the source notebooks. A file with the name of another notebook of the assignment is that
            notebook, not a renamed one.

    Raises:
        MissingNotebook: if the file is missing, and there is no other notebook that could be meant.
        UnreadableNotebook: if the file is missing or too large, or if the file or one of its two folders is a link or
            another special file.
    """
    if path.parent.is_symlink() or path.parents[1].is_symlink():
        raise UnreadableNotebook(say("rebuild.no_file"))
    file, others = path, []
    if not os.path.lexists(path):
        others = [other for other in sorted(path.parent.glob("*.ipynb")) if not (source / other.name).exists()]
        similar = [other for other in others if _folded(other.name) == _folded(path.name)]
        file = similar[0] if len(similar) == 1 else path
    try:
        return read_plain(file, MAX_NOTEBOOK)
    except FileNotFoundError as error:
        reason = say("rebuild.not_there", name=path.name)
        if not others:
            raise MissingNotebook(reason) from error
        reason += say("rebuild.others", names=", ".join(repr(other.name) for other in others[:5]))
        raise UnreadableNotebook(reason) from error
    except ValueError as error:
        raise UnreadableNotebook(say("rebuild.too_large", size=MAX_NOTEBOOK >> 20)) from error
    except OSError as error:
        raise UnreadableNotebook(say("rebuild.no_file")) from error


def read_beside(folder: Path, ignored: Sequence[str], source: Path, students: Sequence[str] = ()) -> dict[str, bytes]:
    """Read the files that a student handed in beside the notebooks, such as modules that they import.

    Links and special files are left out, and so is the student half of course_lib, which every kernel has.

    Args:
        folder: ``submitted/<student>/<assignment>``.
        ignored: patterns of names to leave out.
        source: ``source/<assignment>``. If it has the same file, that one counts, and the student's is left out.
        students: the files of the source of which the student's version counts.

    Returns:
        The content of each file by its path.

    Raises:
        ValueError: if they are too many or too large; the message says so.
    """
    found: dict[str, bytes] = {}
    left = MAX_BESIDE_BYTES

    def is_ignored(name: str) -> bool:
        return any(fnmatch(name, pattern) for pattern in [*ignored, "*.ipynb", STAMP, SECRET])

    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_ignored(name))
        inside = Path(place).relative_to(folder)
        if inside == Path():
            folders[:] = [name for name in folders if name != PACKAGE.name]
        for name in sorted(names):
            path = inside / name
            if is_ignored(name) or ((source / path).exists() and str(path) not in students):
                continue
            try:
                content = read_plain(Path(place, name), left)
            except OSError:
                continue
            except ValueError:
                raise ValueError(f"more than {MAX_BESIDE_BYTES >> 20} MB of files beside the notebooks") from None
            found[path.as_posix()], left = content, left - len(content)
            if len(found) > MAX_BESIDE:
                raise ValueError(f"more than {MAX_BESIDE} files beside the notebooks")
    return found


def _folded(name: str) -> str:
    """A file name with its case and Unicode form normalized, because some file systems change them."""
    return unicodedata.normalize("NFC", name).casefold()


def stamped_time(stamp: bytes) -> datetime:
    """The time in a time stamp file, in UTC.

    nbgrader's ``parse_utc`` misreads time zones after a space: +0200 as 200 seconds, and a zone that this machine does
    not know, such as CEST, as UTC. This function corrects the first and refuses the second.

    Raises:
        Exception: of any type that a parser of dates may raise, if the text is not a time.
    """
    text = re.sub(r" (?=(?:Z|[+-]\d\d:?\d\d)$)", "", stamp.decode().strip())
    words = text.split(" ")
    if len(words) == 3 and gettz(words[2]) is None:
        raise ValueError(f"{words[2]!r} is not a time zone that this machine knows")
    time: datetime = parse_utc(text)
    return time


def read_stamp(folder: Path) -> bytes | None:
    """The content of a submission's time stamp file; None if it is missing, or if :func:`stamped_time` refuses it."""
    try:
        content = read_plain(folder / STAMP, MAX_STAMP)
        stamped_time(content)
    except Exception:  # a missing file, or any type that a parser of dates may raise
        return None
    return content


def has_stamp(folder: Path) -> bool:
    """Whether a submission has a time stamp file that is not empty."""
    try:
        return bool(read_plain(folder / STAMP, MAX_STAMP).strip())
    except OSError:
        return os.path.lexists(folder / STAMP)
    except ValueError:
        return True


def read_receipt(folder: Path) -> dict[str, bytes]:
    """The files that ``nbgrader submit`` wrote next to a submission: time stamp and secret.

    Returns:
        Content by file name. A file that is missing or not valid is left out; an empty time stamp is not.
    """
    stamp = read_stamp(folder)
    if stamp is None and os.path.lexists(folder / STAMP) and not has_stamp(folder):
        stamp = b""
    receipt = {} if stamp is None else {STAMP: stamp}
    with contextlib.suppress(OSError, ValueError):
        secret = read_plain(folder / SECRET, MAX_SECRET)
        if re.fullmatch(rb"[0-9a-f]+", secret):
            receipt[SECRET] = secret
    return receipt


def submitted_at(folder: Path) -> datetime | None:
    """When a submission was handed in, in UTC; None if its time stamp is missing or not a valid time."""
    stamp = read_stamp(folder)
    return None if stamp is None else stamped_time(stamp)


def timestamp(coursedir: Any, folder: str) -> datetime | None:
    """:func:`submitted_at` for nbgrader.

    Replaces its ``get_existing_timestamp``, which trusts the file and stops on a bad one.
    """
    return submitted_at(Path(folder))
