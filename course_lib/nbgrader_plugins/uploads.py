"""Finds the notebooks among the files that a student uploaded. The files may be zips, damaged or hostile.

Nothing is unpacked to disk, so no file name or size that a student chose can do harm.
"""

import contextlib
import io
import re
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..execution.submission_files import MAX_UPLOAD

MAX_CONTENTS = 16 * 2**20
"""Largest table of contents of a student's zip, in bytes. Python needs fifteen times as much memory to read it."""

MAX_DEPTH = 3
"""Largest nesting depth of zips in zips."""

_NOTEBOOK = re.compile(r"(.*)\.ipynb(?:\.json|\.txt)?", re.DOTALL | re.IGNORECASE)  # browsers add endings
_COPY = r"(?: ?\([0-9]+\)|-Copy[0-9]*)*"  # what browsers and Jupyter add to the name of a copy


class _Unusable(Exception):
    """The upload cannot be used. The message says why."""


@dataclass(frozen=True)
class UploadedFile:
    """A file on disk or in a zip."""

    path: str
    read: Callable[[int], bytes]
    """Reads its content. Raises any exception if it cannot be read, or if it has more than the given number of
    bytes."""


@dataclass
class Upload:
    """All files of one student."""

    name: str
    student: str
    files: list[UploadedFile] = field(default_factory=list)
    left: int = MAX_UPLOAD
    """Bytes that may still be read."""

    def read(self, file: UploadedFile) -> bytes:
        """The content of one of the files, or of a file in a zip among them."""
        if not self.left:
            raise _Unusable("too many files")
        try:
            content = file.read(self.left)
        except Exception as error:  # a broken or hostile zip may raise any type
            raise _Unusable(f"{file.path!r} cannot be read: {error}") from error
        self.left = max(0, self.left - len(content) - 4096)  # even an empty file takes time
        return content


def take_notebooks(upload: Upload, names: list[str], target: Path) -> tuple[list[str], list[str]]:
    """Write the notebooks of one student into the folder ``target``.

    Args:
        upload: the student's files.
        names: names of the assignment's notebooks, without ``.ipynb``.
        target: the folder; it is made if a notebook is found.

    Returns:
        The problems, one for each notebook that cannot be taken; and remarks about ignored files.
    """
    try:
        found = [(f.path, upload.read(f)) for f in upload.files if _NOTEBOOK.fullmatch(f.path) and not is_junk(f.path)]
        if not {_stem(path) for path, _ in found} >= set(names):  # otherwise other zips do not matter
            found += _notebooks_in_zips(upload, upload.files)
    except _Unusable as error:
        return [str(error)], []
    problems, remarks = [], []
    for name in names:
        try:
            path, content = _choose(name, found, any_name=len(names) == 1)
        except _Unusable as error:
            files = ", ".join(repr(file.path) for file in upload.files[:5])
            problems.append(
                str(error) if found else f"no notebook among the uploaded files: {files or 'there are none'}"
            )
            continue
        target.mkdir(parents=True, exist_ok=True)
        (target / f"{name}.ipynb").write_bytes(content)
        ignored = [repr(other) for other, different in found if different != content]
        if ignored and len(names) == 1:
            remarks.append(f"{path!r} is graded; ignored: {', '.join(ignored)}")
    return problems, remarks


def _choose(name: str, found: list[tuple[str, bytes]], any_name: bool) -> tuple[str, bytes]:
    """Choose the notebook for ``name``: the one with this name, else a copy of it, else the only one if ``any_name``.

    Args:
        name: name of the notebook, without ``.ipynb``.
        found: path and content of the uploaded notebooks.
        any_name: whether a notebook with another name will do.
    """
    spelling = re.escape(unicodedata.normalize("NFC", name))
    patterns = [spelling, spelling + _COPY] + [".*"] * any_name
    for pattern in patterns:
        fitting = [one for one in found if re.fullmatch(pattern, _stem(one[0]), re.DOTALL | re.IGNORECASE)]
        if len({content for _, content in fitting}) > 1:
            paths = [path for path, _ in fitting]
            same_paths = len({*paths}) < len(paths)
            advice = " (if they are from two downloads, remove the older one)" if same_paths else ""
            several = ", ".join(map(repr, paths[:5]))
            raise _Unusable(f"several different notebooks, and none is clearly {name}.ipynb: {several}{advice}")
        if fitting:
            return fitting[0]
    raise _Unusable(f"no {name}.ipynb")


def _stem(path: str) -> str:
    """The name of a notebook without folders and ending, with its accents in one form; empty for other files."""
    match = _NOTEBOOK.fullmatch(unicodedata.normalize("NFC", path.rpartition("/")[2]))
    return match[1] if match else ""


def is_junk(path: str) -> bool:
    """Whether a file is one that an operating system or Jupyter writes for its own use."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.split("/"))


# -- zips --------------------------------------------------------------------------------------------------------------


def _notebooks_in_zips(upload: Upload, files: Iterable[UploadedFile], depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Path and content of the notebooks in the zips among ``files``, and in zips inside them."""
    for file in files:
        if is_junk(file.path):
            continue
        if file.path.lower().endswith(".zip"):
            if depth == MAX_DEPTH:
                raise _Unusable(f"{file.path!r} is a zip in a zip, more than {MAX_DEPTH} levels deep")
            try:
                archive = zipfile.ZipFile(_BoundedContents(upload.read(file)))
            except _Unusable:
                raise
            except Exception as error:  # zipfile raises more than BadZipFile
                raise _Unusable(f"{file.path!r} is not a readable zip: {error}") from error
            yield from _notebooks_in_zips(upload, files_in_zip(archive, f"{file.path}/"), depth + 1)
        elif depth > 0 and _NOTEBOOK.fullmatch(file.path):
            yield file.path, upload.read(file)


class _BoundedContents(io.BytesIO):
    """A zip in memory. It refuses to return more than :data:`MAX_CONTENTS` bytes at once.

    zipfile reads the whole table of contents at once, however long it is.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_CONTENTS:
            raise ValueError("too many files in it")
        return super().read(size)


def files_in_zip(archive: zipfile.ZipFile, prefix: str = "") -> Iterator[UploadedFile]:
    """The files in a zip, with ``prefix`` before their paths."""
    for info in archive.infolist():
        if info.is_dir():
            continue
        name = info.filename
        if not info.flag_bits & 0x800:  # the zip does not say that names are UTF-8, but on macOS they are
            with contextlib.suppress(UnicodeError):
                name = name.encode("cp437").decode()
        yield UploadedFile(f"{prefix}{name}", partial(_unpack, archive, info))


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, max_bytes: int) -> bytes:
    """The content of a file in a zip, unpacked in memory. Raise ValueError if it has more than ``max_bytes`` bytes."""
    if info.compress_type not in (
        zipfile.ZIP_STORED,
        zipfile.ZIP_DEFLATED,
    ):  # Python cannot limit the unpacked size of others
        raise ValueError("it is compressed in an unusual way")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise ValueError("it is a link")
    content = bytearray()
    with archive.open(info) as stream:
        while chunk := stream.read(2**20):
            content += chunk
            if len(content) > max_bytes:
                raise ValueError(f"the upload has more than {MAX_UPLOAD >> 20} MiB")
    return bytes(content)
