"""``nbgrader zip_collect`` for a Moodle download: put it, unchanged, into ``downloaded/<assignment>/archive/``.

Moodle's "download all submissions" gives a zip. It has a folder for each student, such as
``Élodie Dupont_1234567_assignsubmission_file_``, or files whose names begin like that. The number is Moodle's
participant number, which differs from assignment to assignment. :class:`MoodleExtractor` finds the notebooks of each
student, and :class:`MoodleCollector` tells nbgrader whose they are.
"""

import atexit
import contextlib
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from nbgrader.plugins import ExtractorPlugin, FileNameCollectorPlugin

from ..execution.submission_files import read_plain
from ..records.gradebook import CourseGradebook
from ..results.errors import GraderError
from .uploads import Upload, UploadedFile, files_in_zip, is_junk, take_notebooks

_MOODLE = re.compile(  # Moodle leaves no '_' in a name; the student chose the part after the prefix
    r"(?:[^/]*/)*?(?P<name>[^/]+?)_(?P<number>[0-9]{1,20})_assignsubmission_(?P<kind>[a-z]+)(?:_?/|_)(?P<file>.+)",
    re.DOTALL,
)


# -- names of students -------------------------------------------------------------------------------------------------


def student_id(name: str, number: str) -> str:
    """A student's id, also used as a folder name: the full name without special characters, and Moodle's number."""
    word = re.sub(r"[^\w-]+", "_", name)[:50].strip("_-")
    return f"{word}_{number}".lstrip("_")


def printable_name(name: str) -> str:
    """A full name from Moodle, with its accents in one form, and without commas, which break nbgrader's CSV export."""
    composed = "".join(c if c.isprintable() and c != "," else " " for c in unicodedata.normalize("NFC", name))
    return " ".join(composed.split())


def participant(student: str, name: str) -> str:
    """Moodle's participant number; empty if the student's id is not from a Moodle download.

    Args:
        student: the student's id.
        name: the full name. Its capitals or the order of its words may have been corrected since the download.
    """
    number = student.rpartition("_")[2]
    return number if number.isdecimal() and _words(student) == _words(student_id(name, number)) else ""


def _words(student: str) -> list[str]:
    return sorted(re.findall(r"[^\W_]+", student.casefold()))


# -- plug-ins ----------------------------------------------------------------------------------------------------------


class MoodleExtractor(ExtractorPlugin):
    """Writes ``extracted/<student>/<notebook>.ipynb`` for each student in the downloads.

    A course with a setting for nbgrader's own plug-in, ``c.FileNameCollectorPlugin.named_regexp``, uses that plug-in
    instead.
    """

    def extract(self, archive_path: str, extracted_path: str) -> None:
        """Write the notebooks, add the students to the gradebook, and list unusable uploads at the end."""
        if self.config.FileNameCollectorPlugin.get("named_regexp"):
            super().extract(archive_path, extracted_path)
            return
        course = self.parent.coursedir
        source = Path(course.format_path(course.source_directory, ".", course.assignment_id))
        names = sorted(path.stem for path in source.glob("*.ipynb"))
        if not names:
            self.parent.fail(f"{source} has no notebook: is the assignment really called '{course.assignment_id}'?")
        problems: list[str] = []
        remarks: list[str] = []
        # at exit, because nbgrader still logs several lines for each student
        atexit.register(lambda: [*map(self.log.warning, remarks), *map(self.log.error, problems)])
        with contextlib.ExitStack() as stack:
            uploads = _uploads(_downloaded_files(Path(archive_path), stack, problems), remarks)
            for upload in uploads:
                found, ignored = take_notebooks(upload, names, Path(extracted_path, upload.student))
                folder = f"submitted/{upload.student}/{course.assignment_id}/"
                problems += [
                    f"{upload.student}: {problem}. Not collected: put the right notebook into {folder}"
                    for problem in found
                ]
                remarks += [f"{upload.student}: {remark}" for remark in ignored]
        try:
            with CourseGradebook(course.db_url, course.course_id, self.log) as gradebook:
                gradebook.add_students({upload.student: upload.name for upload in uploads})
        except GraderError as error:
            self.parent.fail(str(error))


def _downloaded_files(archives: Path, stack: contextlib.ExitStack, problems: list[str]) -> Iterator[UploadedFile]:
    """All files of a Moodle download, in zips or already unpacked.

    Args:
        archives: the folder of the downloads.
        stack: keeps the zips open.
        problems: gets a line for each download that cannot be read.
    """
    for path in sorted(archives.rglob("*")):
        name = path.relative_to(archives).as_posix()
        if not path.is_file() or is_junk(name):
            continue
        if path.suffix.lower() == ".zip" and not _MOODLE.fullmatch(name):
            try:
                archive = stack.enter_context(zipfile.ZipFile(path))
            except (OSError, ValueError, zipfile.BadZipFile) as error:
                problems.append(f"{path} cannot be read: {error}. Download it again")
                continue
            yield from files_in_zip(archive)
        else:
            yield UploadedFile(name, partial(read_plain, path))


def _uploads(files: Iterable[UploadedFile], remarks: list[str]) -> list[Upload]:
    """The uploads of all students. ``remarks`` gets a line for everything that is ignored."""
    uploads: dict[str, Upload] = {}
    foreign: list[str] = []
    for file in files:
        match = _MOODLE.fullmatch(file.path)
        if match is None:
            if not is_junk(file.path):
                foreign.append(file.path)
            continue
        name, number = printable_name(match["name"]), match["number"]
        upload = uploads.setdefault(number, Upload(name, student_id(name, number)))
        if match["kind"] == "file":
            upload.files.append(UploadedFile(match["file"], file.read))
        else:
            remarks.append(f"{upload.student}: {match['kind']} {match['file']!r} is ignored: only files are graded")
    if foreign:
        remarks.append(f"Files ignored because Moodle did not name them: {len(foreign)}, such as {foreign[0]!r}")
    return list(uploads.values())


class MoodleCollector(FileNameCollectorPlugin):
    """Tells nbgrader whose notebook it is, from the path that :class:`MoodleExtractor` made."""

    def collect(self, submitted_file: str) -> dict[str, str]:
        """Student and notebook of ``extracted/<student>/<notebook>.ipynb``."""
        if self.named_regexp:
            found: dict[str, str] = super().collect(submitted_file)
            return found
        path = Path(submitted_file)
        return {"student_id": path.parent.name, "file_id": path.name}
