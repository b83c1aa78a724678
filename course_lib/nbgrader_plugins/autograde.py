"""``nbgrader autograde`` and formgrader's button, with the judge in place of nbgrader's own execution of notebooks.

:class:`JudgedAutograde` translates between nbgrader and a :class:`course_lib.execution.class_run.ClassRun`. All options
of ``nbgrader autograde`` keep their meaning, except ``--no-execute``.
"""

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import AbstractContextManager
from glob import glob
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy.exc import SQLAlchemyError

from ..execution.assignment_folders import AssignmentFolders
from ..execution.class_run import ClassRun
from ..execution.open_run import open_run
from ..execution.run_settings import RunSettings
from ..execution.submission_files import STAMP, timestamp
from ..judge.compat import patch_nbgrader
from ..judge.task import GradedNotebook
from ..records.class_record import read_class
from ..records.gradebook_queries import due
from ..reports.marks_table import marks_table
from ..results.errors import AssignmentError, GraderError
from .settings import Settings

MAX_SHOWN = 200
"""For more students than this, the marks are only in the report."""


def use_judge() -> None:
    """Let ``nbgrader autograde`` and formgrader grade with :class:`JudgedAutograde`."""
    patch_nbgrader(JudgedAutograde, timestamp, due)


class JudgedAutograde(Settings):
    """Grades submissions with the kit's judge."""

    def init_notebooks(self) -> None:
        """Find the submissions. Every matching folder counts, whatever is in it."""
        pattern = self._format_source(self.coursedir.assignment_id, self.coursedir.student_id)
        found = sorted(glob(pattern))
        folders = [folder for folder in found if Path(folder).is_dir()]
        for other in sorted(set(found).difference(folders)):
            self.log.error("%s is skipped: it is not a folder, or it is a broken link", other)
        for folder in list(folders):
            try:
                if not os.listdir(folder):
                    self.log.warning("%s is skipped: it is empty", folder)
                    folders.remove(folder)
            except OSError as error:
                self.log.error("%s is skipped: it cannot be read (%s)", folder, error.strerror)
                folders.remove(folder)
        if not folders:
            message = f"No submissions were found in {pattern}"
            self.log.error(message)
            raise NbGraderException(message)
        self.assignments: dict[str, list[str]] = {folder: [] for folder in folders}  # nbgrader's; only the keys count

    def convert_notebooks(self) -> None:
        """Bring every student's marks up to date: grade those that are missing or outdated.

        Raises:
            NbGraderException: if the assignment has an error, or if the grader failed on some submissions. The marks
                recorded so far stay.
        """
        try:
            with self._class_run() as run:
                students = list(self._students())
                for student in students:
                    self._run_hook(self.pre_convert_hook, student)
                summary = run.run(students)
        except (AssignmentError, BrokenExecutor, GraderError, OSError, SQLAlchemyError) as error:
            self.log.error(str(error))
            self.log.debug("Where it was raised:", exc_info=error)
            raise NbGraderException(str(error)) from error
        except KeyboardInterrupt as error:
            message = "Interrupted: finished results are kept, and the same command grades the rest"
            self.log.error(message)
            raise NbGraderException(message) from error
        messages = []
        if summary.not_graded:
            names = ", ".join(sorted(summary.not_graded))
            messages.append(f"Not graded because of an error that is not the student's. Nothing was recorded: {names}")
        for place, students in summary.faulty_tests.items():
            messages.append(
                f"A hidden test crashed at {place}. Fix it, then run the command again. Until then it gives no points "
                f"to {', '.join(sorted(students))}"
            )
        if summary.unpenalized:
            messages.append(f"Graded, but the penalty was not set: {', '.join(sorted(summary.unpenalized))}")
        if summary.undated:
            messages.append(
                f"Graded as on time, because {STAMP} has no time with a known time zone, such as UTC or Europe/Paris: "
                f"{', '.join(sorted(summary.undated))}. Correct the file, then run the command again"
            )
        try:
            self._show_marks(students)
        except (SQLAlchemyError, MissingEntry) as error:  # the marks are recorded, whatever happens here
            self.log.warning("The marks cannot be shown: %s", error)
        if messages:
            self.log.error("\n".join(messages))
            raise NbGraderException("\n".join(messages))

    def _show_marks(self, students: Sequence[str]) -> None:
        """Log the marks of these students as a table, and name those whose submission is gone."""
        assignment = self.coursedir.assignment_id
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            recorded = {submission.student.id for submission in gradebook.assignment_submissions(assignment)}
            if 0 < len(students) <= MAX_SHOWN:
                record = read_class(gradebook, self.coursedir, assignment, students)
                self.log.info("Marks:\n%s", marks_table(record))
        if self.coursedir.student_id != "*" or self.coursedir.student_id_exclude:
            return
        gone = {student for student in recorded if not Path(self._format_source(assignment, student)).exists()}
        if gone:
            self.log.warning(
                "In the gradebook, but no longer in %s: %s. Their marks stay. To remove one, run in Python: "
                "nbgrader.api.Gradebook(URL).remove_submission('%s', STUDENT)",
                self.coursedir.submitted_directory,
                ", ".join(sorted(gone)),
                assignment,
            )

    def appeal(self, student: str) -> dict[str, GradedNotebook]:
        """Grade one student's submission from scratch, whatever is in the cache; nothing is recorded.

        Returns:
            The results by the name of the notebook.

        Raises:
            AssignmentError, BrokenExecutor or GraderError: if it cannot be graded.
        """
        with self._class_run() as run:
            run.check_source()
            graded = run.pool.grade(run.tasks(student))
            return dict(zip((spec.name for spec in run.specs), graded, strict=True))

    def _class_run(self) -> AbstractContextManager[ClassRun]:
        self.check_settings()
        return open_run(
            folders=self.folders(),
            settings=self.run_settings(),
            gradebook_url=self.coursedir.db_url,
            course_id=self.coursedir.course_id,
            notebooks=self.coursedir.notebook_id,
            config=self.config,
            penalize=self._penalize,
            set_permissions=self._finish,
            submissions=len(self.assignments),
            log=self.log,
        )

    def folders(self) -> AssignmentFolders:
        """Where nbgrader keeps the assignment."""
        name, course = self.coursedir.assignment_id, Path(self.coursedir.root).resolve()

        def place(directory: str, student: str) -> Path:
            return Path(self.coursedir.format_path(directory, student, name))

        return AssignmentFolders(
            assignment=name,
            course=course,
            source=place(self.coursedir.source_directory, ".").resolve(),
            hidden_tests=course / self.hidden_tests / name,
            graded=place(self.coursedir.autograded_directory, "*").parents[1],
            submitted=lambda student: place(self.coursedir.submitted_directory, student),
            autograded=lambda student: place(self.coursedir.autograded_directory, student),
            feedback=lambda student: place(self.coursedir.feedback_directory, student),
            ignored=tuple(self.coursedir.ignore),
        )

    def run_settings(self) -> RunSettings:
        """The run settings from the configuration."""
        return RunSettings(
            language=self.language,
            protection=self.protection,
            device=self.device,
            scheduler=self.scheduler,
            configured_workers=self.workers,
            given_limits=self.cell_limits() | self.limits,
            train_once=self.train_once,
            cache_size=self.cache_size,
            force=self.force,
            add_students=self.create_student,
            classic=self.classic,
            execute=bool(self.config.Execute.get("enabled", True)),
            students_files=self.exclude_overwriting.get(self.coursedir.assignment_id, ()),
            keep_times=not self.config.ClearMetadataPreprocessor.get("enabled", False),
        )

    def _students(self) -> Iterator[str]:
        """The students who handed something in."""
        pattern = self._format_source(re.escape(self.coursedir.assignment_id), "(?P<student>[^/]+)", escape=True)
        excluded = self.coursedir.student_id_exclude.split(",")
        for folder in self.assignments:
            match = re.fullmatch(pattern, folder)
            if match is None:
                raise NbGraderException(f"{folder} does not match {pattern}")
            if match["student"] in excluded:
                continue
            if not match["student"].isprintable():  # nbgrader's other commands would stop at it
                self.log.error("%r is skipped: its name has unprintable characters. Rename the folder", folder)
                continue
            yield match["student"]

    def _penalize(self, student: str, notebook: str) -> None:
        """Let nbgrader's plug-in set the late penalty of a student's notebook."""
        names = {"student": student, "assignment": self.coursedir.assignment_id, "notebook": notebook}
        resources: dict[str, Any] = {"nbgrader": names | {"db_url": self.coursedir.db_url}}
        AssignLatePenalties(parent=self).preprocess(nbformat.v4.new_notebook(), resources)

    def _run_hook(self, hook: Callable[..., object] | None, student: str) -> None:
        """Run nbgrader's hook for one student. A hook that fails stops nothing, as in nbgrader."""
        if hook is None:
            return
        folder = Path(self._format_source(self.coursedir.assignment_id, student))
        try:
            hook(
                assignment=self.coursedir.assignment_id,
                student=student,
                notebooks=sorted(map(str, folder.glob("*.ipynb"))),
            )
        except Exception as error:
            self.log.error("Submission of %s: the hook failed: %s: %s", student, type(error).__name__, error)

    def _finish(self, student: str) -> None:
        """Set the permissions of a student's autograded folder, and run nbgrader's hook."""
        self.set_permissions(self.coursedir.assignment_id, student)
        self._run_hook(self.post_convert_hook, student)

    def set_permissions(self, assignment_id: str, student_id: str) -> None:
        """Call nbgrader's own method without its log line, which would break the progress bar for each student."""
        log, self.log = self.log, logging.getLogger(__name__)
        try:
            super().set_permissions(assignment_id, student_id)
        finally:
            self.log = log
