"""The course in the current folder, with its configuration."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from nbgrader.apps import NbGrader
from nbgrader.coursedir import CourseDirectory

from ..assignment.loader import load_assignment
from ..assignment.spec import NotebookSpec
from ..execution.assignment_folders import AssignmentFolders
from ..execution.run_settings import RunSettings
from ..messages import set_language
from ..nbgrader_plugins.autograde import JudgedAutograde
from ..results.errors import AssignmentError
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

    def open_assignment(self, name: str) -> tuple[AssignmentFolders, RunSettings, list[NotebookSpec]]:
        """The folders, settings and notebooks of an assignment, to try it on this machine.

        Raises:
            AssignmentError: if it cannot be graded; the message says why.
        """
        self.coursedir.assignment_id = name
        self.settings.check_settings()
        folders = self.settings.folders()
        settings = replace(self.settings.run_settings(), scheduler="", force=False)
        set_language(settings.language)
        if not folders.source.is_dir():
            known = ", ".join(sorted(path.name for path in folders.source.parent.glob("*/")))
            raise AssignmentError(f"there is no assignment {name} in {folders.source.parent}; it has {known}")
        return folders, settings, load_assignment(folders.source, folders.hidden_tests, config=self.app.config)


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


def course_or_exit(command: str) -> Course:
    """The course in the current folder. If there is none, the command ends and says why."""
    course = open_course()
    if isinstance(course, Finding):
        sys.exit(f"course {command}: {course.says}\n{course.fix}")
    return course
