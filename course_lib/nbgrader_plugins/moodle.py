"""``nbgrader zip_collect`` for a download of Moodle: put it, as it is, into ``downloaded/<assignment>/archive/``.

Moodle's "download all submissions" is a zip with a folder for each student, such as
``Élodie Dupont_1234567_assignsubmission_file_``, or with files whose names begin like that. :class:`MoodleExtractor`
takes the notebook of each student out of it, :class:`MoodleCollector` says whose it is. Nothing is unpacked under a
name or to a size that a student chose. The number is Moodle's for a participant in this one assignment.
"""

import atexit
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

from nbgrader.plugins import ExtractorPlugin, FileNameCollectorPlugin

from ..authoring.errors import GradingFault
from ..execution.submission_files import MAX_UPLOAD, read_plain
from ..records.gradebook import CourseGradebook

__all__ = ["MoodleCollector", "MoodleExtractor", "participant"]

MAX_CONTENTS = 16 * 2**20
"""Bytes of the table of contents of a student's zip: Python needs fifteen times as much memory for it."""

MAX_DEPTH = 3
"""Zips in zips."""

_MOODLE = re.compile(  # Moodle itself leaves no '_' in a name; what follows was named by the student
    r"(?:[^/]*/)*?(?P<name>[^/]+?)_(?P<number>[0-9]{1,20})_assignsubmission_(?P<kind>[a-z]+)(?:_?/|_)(?P<file>.+)",
    re.DOTALL,
)
_NOTEBOOK = re.compile(r"(.*)\.ipynb(?:\.json|\.txt)?", re.DOTALL | re.IGNORECASE)  # browsers add endings
_COPY = r"(?: ?\([0-9]+\)|-Copy[0-9]*)*"  # as browsers and Jupyter name a second one


def _student_id(name: str, number: str) -> str:
    word = re.sub(r"[^\w-]+", "_", name)[:50].strip("_-")
    return f"{word}_{number}".lstrip("_")


def participant(student: str, name: str) -> str:
    """Moodle's number of the participant, if a download named the student so; else empty.

    Args:
        student: the student's id.
        name: the full name.
    """
    number = student.rpartition("_")[2]
    return number if number.isdecimal() and _words(student) == _words(_student_id(name, number)) else ""


def _words(student: str) -> list[str]:
    """What stays the same when somebody corrects a name: its words, whatever their order and capitals."""
    return sorted(re.findall(r"[^\W_]+", student.casefold()))


class _Unusable(Exception):
    """What a student uploaded cannot be taken; the message says why."""


@dataclass(frozen=True)
class _File:
    """A file of a student, on disk or in a zip."""

    path: str
    read: Callable[[int], bytes]
    """Its content; ValueError when that has more bytes than this."""


@dataclass
class _Upload:
    """All files of one student."""

    name: str
    student: str
    files: list[_File] = field(default_factory=list)
    left: int = MAX_UPLOAD

    def read(self, file: _File) -> bytes:
        """The content of one of the files, or of a file in one of them."""
        if not self.left:
            raise _Unusable("too many files")
        try:
            content = file.read(self.left)
        except Exception as error:  # whatever a broken or hostile zip makes its reader raise
            raise _Unusable(f"{file.path!r} cannot be read: {error}") from error
        self.left = max(0, self.left - len(content) - 4096)  # an empty file takes time, too
        return content


class _Bounded(io.BytesIO):
    """A zip in memory, whose table of contents zipfile reads at once, however long it is."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_CONTENTS:
            raise ValueError("too many files in it")
        return super().read(size)


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # Python unpacks others without a bound
        raise ValueError("it is compressed in an unusual way")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise ValueError("it is a link")
    content = bytearray()
    with archive.open(info) as stream:
        while chunk := stream.read(2**20):
            content += chunk
            if len(content) > most:
                raise ValueError(f"there are more than {MAX_UPLOAD >> 20} MiB")
    return bytes(content)


def _in_zip(archive: zipfile.ZipFile, place: str = "") -> Iterator[_File]:
    for info in archive.infolist():
        if not info.is_dir():
            name = info.filename
            if not info.flag_bits & 0x800:  # not said to be UTF-8: macOS writes UTF-8 all the same
                with contextlib.suppress(UnicodeError):
                    name = name.encode("cp437").decode()
            yield _File(f"{place}{name}", partial(_unpack, archive, info))


def _downloads(archives: Path, stack: contextlib.ExitStack, problems: list[str]) -> Iterator[_File]:
    """All files that Moodle gave, in downloaded zips or unpacked already."""
    for path in sorted(archives.rglob("*")):
        name = path.relative_to(archives).as_posix()
        if not path.is_file() or _is_junk(name):
            continue
        if path.suffix.lower() == ".zip" and not _MOODLE.fullmatch(name):
            try:
                archive = stack.enter_context(zipfile.ZipFile(path))
            except (OSError, ValueError, zipfile.BadZipFile) as error:
                problems.append(f"{path} cannot be read, download it again: {error}")
                continue
            yield from _in_zip(archive)
        else:
            yield _File(name, partial(read_plain, path))


def _is_junk(path: str) -> bool:
    """Whether a file is one that operating systems and Jupyter write for themselves."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.split("/"))


def _printable(name: str) -> str:
    """A full name as Moodle shows it, in one spelling of its accents; nbgrader's CSV export bears no comma."""
    composed = "".join(c if c.isprintable() and c != "," else " " for c in unicodedata.normalize("NFC", name))
    return " ".join(composed.split())


def _notebooks(upload: _Upload, files: Iterable[_File], zips: bool, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Path and content of the notebooks among ``files``, of those in zips when ``zips``."""
    for file in files:
        if _is_junk(file.path):
            continue
        if file.path.lower().endswith(".zip") and zips:
            if depth == MAX_DEPTH:
                raise _Unusable(f"{file.path!r} is a zip in a zip, again and again")
            try:
                archive = zipfile.ZipFile(_Bounded(upload.read(file)))
            except _Unusable:
                raise
            except Exception as error:  # zipfile raises more than BadZipFile
                raise _Unusable(f"{file.path!r} is no zip that can be read: {error}") from error
            yield from _notebooks(upload, _in_zip(archive, f"{file.path}/"), zips, depth + 1)
        elif _NOTEBOOK.fullmatch(file.path) and zips == (depth > 0):
            yield file.path, upload.read(file)


def _stem(path: str) -> str:
    match = _NOTEBOOK.fullmatch(unicodedata.normalize("NFC", path.rpartition("/")[2]))
    return match[1] if match else ""


def _choose(name: str, found: list[tuple[str, bytes]], any_name: bool) -> tuple[str, bytes]:
    """Path and content of the notebook to take for ``name``: the one called so, a copy of it, else the only one."""
    spelling = re.escape(unicodedata.normalize("NFC", name))
    for pattern in (spelling, spelling + _COPY, ".*" if any_name else "(?!)"):
        fits = [(p, c) for p, c in found if re.fullmatch(pattern, _stem(p), re.DOTALL | re.IGNORECASE)]
        if len({content for _, content in fits}) > 1:
            paths = [path for path, _ in fits]
            twice = "" if len({*paths}) == len(paths) else " (of two downloads? Then remove the older one)"
            several = ", ".join(map(repr, paths[:5]))
            raise _Unusable(f"several notebooks, and none is clearly {name}.ipynb: {several}{twice}")
        if fits:
            return fits[0]
    raise _Unusable(f"no {name}.ipynb")


class MoodleExtractor(ExtractorPlugin):
    """Writes ``extracted/<student>/<notebook>.ipynb`` for each student in the downloads."""

    def extract(self, archive_path: str, extracted_path: str) -> None:
        """Take the notebooks of all students; what could not be taken is said at the end, and costs nobody else."""
        course = self.parent.coursedir
        source = Path(course.format_path(course.source_directory, ".", course.assignment_id))
        names = sorted(path.stem for path in source.glob("*.ipynb"))
        if not names:
            self.parent.fail(f"{source} has no notebook: is the assignment really called '{course.assignment_id}'?")
        problems: list[str] = []
        remarks: list[str] = []
        # said last: nbgrader writes several lines for each student in between
        atexit.register(lambda: [*map(self.log.warning, remarks), *map(self.log.error, problems)])
        with contextlib.ExitStack() as stack:
            uploads = self._uploads(_downloads(Path(archive_path), stack, problems), remarks)
            for upload in uploads:
                for problem in self._take(upload, names, Path(extracted_path, upload.student), remarks):
                    place = f"submitted/{upload.student}/{course.assignment_id}/"
                    problems.append(f"{upload.student}: {problem}. Not collected: put the right notebook into {place}")
        try:
            with CourseGradebook(course.db_url, course.course_id, self.log) as gradebook:
                gradebook.add_students({upload.student: upload.name for upload in uploads})
        except GradingFault as error:
            self.parent.fail(str(error))

    def _uploads(self, files: Iterable[_File], remarks: list[str]) -> list[_Upload]:
        """The students with all that they uploaded."""
        uploads: dict[str, _Upload] = {}
        foreign: list[str] = []
        for file in files:
            match = _MOODLE.fullmatch(file.path)
            if match is None:
                if not _is_junk(file.path):
                    foreign.append(file.path)
                continue
            name, number = _printable(match["name"]), match["number"]
            upload = uploads.setdefault(number, _Upload(name, _student_id(name, number)))
            if match["kind"] == "file":
                upload.files.append(_File(match["file"], file.read))
            else:
                remarks.append(
                    f"{upload.student}: {match['kind']} {match['file']!r} is left out: only files are graded"
                )
        if foreign:
            remarks.append(f"{len(foreign)} files are left out, they are not named by Moodle, such as {foreign[0]!r}")
        return list(uploads.values())

    def _take(self, upload: _Upload, names: list[str], target: Path, remarks: list[str]) -> Iterator[str]:
        """Write the notebooks of one student; yields what goes wrong."""
        try:
            found = list(_notebooks(upload, upload.files, zips=False))
            if not {_stem(path) for path, _ in found} >= set(names):  # else a zip beside them does not matter
                found += _notebooks(upload, upload.files, zips=True)
        except _Unusable as error:
            yield str(error)
            return
        for name in names:
            try:
                path, content = _choose(name, found, any_name=len(names) == 1)
            except _Unusable as error:
                others = ", ".join(repr(file.path) for file in upload.files[:5])
                yield f"{error}" if found else f"no notebook in what was uploaded: {others or 'no file'}"
                continue
            target.mkdir(parents=True, exist_ok=True)
            (target / f"{name}.ipynb").write_bytes(content)
            others = ", ".join(repr(other) for other, c in found if c != content and len(names) == 1)
            if others:
                remarks.append(f"{upload.student}: {path!r} was taken, left out: {others}")


class MoodleCollector(FileNameCollectorPlugin):
    """Reads off the path that :class:`MoodleExtractor` made whose notebook it is."""

    def collect(self, submitted_file: str) -> dict[str, str]:
        """Student and notebook of ``extracted/<student>/<notebook>.ipynb``."""
        path = Path(submitted_file)
        return {"student_id": path.parent.name, "file_id": path.name}
