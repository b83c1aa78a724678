"""The course in the current folder, with its configuration."""

from dataclasses import dataclass
from pathlib import Path

from nbgrader.apps import NbGrader
from nbgrader.coursedir import CourseDirectory

from ..nbgrader_plugins.autograde import JudgedAutograde
from .doctor_machine import Finding
from .init import unusual_characters


@dataclass(frozen=True)
class Course:
    """A course folder and its configuration."""

    app: NbGrader
    coursedir: CourseDirectory
    settings: JudgedAutograde

    @property
    def root(self) -> Path:
        """The course folder."""
        return Path(self.coursedir.root).resolve()


def open_course() -> Course | Finding:
    """The course in the current folder, where nbgrader reads its configuration; or the problem with this folder."""
    folder = Path.cwd()
    if not (folder / "nbgrader_config.py").exists():
        fix = "Run this in the course folder. 'course init FOLDER' makes a new one."
        return Finding("course", f"{folder} has no nbgrader_config.py", fix)
    if unusual := unusual_characters(folder):
        fix = "nbgrader takes them for a pattern or a variable, so it finds nothing. Rename the folder."
        return Finding("course", f"{folder} has {unusual} in its path", fix)
    app = NbGrader(raise_config_file_errors=True)
    try:
        app.load_config_file()
        coursedir = CourseDirectory(parent=app)
        return Course(app, coursedir, JudgedAutograde(coursedir=coursedir, parent=app))
    except Exception as error:  # the file is a program and can raise anything; traitlets refuses wrong types
        fix = "Correct that line or setting of the file."
        return Finding("course", f"nbgrader_config.py: {type(error).__name__}: {error}", fix)
