"""Grade one notebook of one submission: a function of the submitted bytes, the assignment and the limits."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from nbformat import NotebookNode

from ..kernel.wire import Packet
from ..messages import set_language
from ..mnist import cache_folder
from .assignment import GradeCell, NotebookSpec
from .hidden import collect_hidden_tests, run_hidden_tests
from .rebuild import UnreadableNotebook, read_notebook, rebuild
from .result import NotebookResult, Verdict
from .session import Limits, Session
from .student import Student, StudentFailure, missing_name

__all__ = ["Graded", "Job", "grade"]


@dataclass(frozen=True)
class Job:
    """All that the grading of a notebook depends on."""

    spec: NotebookSpec
    submitted: bytes
    library: Path
    """What the kernel imports, from :func:`course_lib.grading.session.kernel_folder`."""
    trainings: Path
    """Folder of finished trainings, which kernels may read."""
    limits: Limits
    language: str
    files: Path | None = None
    """Folder whose files, notebooks excepted, stand beside the notebook while it runs."""


@dataclass
class Graded:
    """A graded notebook."""

    notebook: NotebookNode
    """Rebuilt, with the outputs of its cells."""
    result: NotebookResult
    trainings: Packet
    """The trainings that were done for it, from :mod:`course_lib.kernel.finished`."""
    unchanged: set[str]
    """Ids of the solution cells that were handed in as they were given."""


def grade(job: Job) -> Graded:
    """Grade one notebook.

    Raises:
        GradingFault: if a hidden test fails by itself.
    """
    set_language(job.language)
    paths = list(job.spec.tests.values())
    try:
        cells = read_notebook(job.submitted)
    except UnreadableNotebook as error:
        return _unreadable(job.spec, paths, str(error))
    rebuilt = rebuild(job.spec.skeleton, cells)
    environment = {
        "COURSE_LIB_TRAININGS": str(job.trainings),
        "COURSE_LIB_CACHE": str(cache_folder()),
        "MPLCONFIGDIR": str(cache_folder() / "matplotlib"),
    } | {name: os.environ[name] for name in ("COURSE_LIB_DEVICE",) if name in os.environ}
    with Session(rebuilt.notebook, job.library, job.limits, environment, job.files) as session:
        run = _Run(session, {cell.grade_id: cell for cell in job.spec.automatic})
        tested = run_hidden_tests(paths, run.student_at)
        session.run_until(len(rebuilt.notebook.cells))
        trainings = run.trainings()
    for cell in job.spec.automatic:
        if cell.solution in rebuilt.unchanged:  # whatever its tests met, nothing was tried
            tests = tested[cell.grade_id].tests
            tested[cell.grade_id].tests = [
                t if t.verdict is Verdict.PASSED else replace(t, verdict=Verdict.NOT_ATTEMPTED, detail="")
                for t in tests
            ]
    results = [tested[cell.grade_id] for cell in job.spec.automatic]
    return Graded(rebuilt.notebook, NotebookResult(results, rebuilt.repairs), trainings, rebuilt.unchanged)


@dataclass
class _Run:
    """A notebook on its way through its hidden tests."""

    session: Session
    grade_cells: dict[str, GradeCell]
    failures: dict[tuple[str, object], list[StudentFailure]] = field(default_factory=dict)
    """By grade cell and the name asked about: the questions that killed the kernel or ran out of time."""

    def student_at(self, grade_id: str) -> Student:
        """The student's notebook once its cells have run up to a grade cell, the cell's own self-check included."""
        index = self._index(grade_id)
        self.session.run_until(index + 1)
        return Student(lambda question: self._ask(question, grade_id), lambda name: self._missing(name, grade_id))

    def _ask(self, question: Packet, grade_id: str) -> Packet:
        failures = self.failures.setdefault((grade_id, question.fields.get("name")), [])
        if len(failures) >= self.session.limits.failures:
            raise failures[-1]
        try:
            return self.session.ask(question)
        except StudentFailure as failure:
            failures.append(failure)
            raise

    def trainings(self) -> Packet:
        """The trainings that ended in the kernel."""
        try:
            return self.session.ask(Packet({"ask": "trainings"}))
        except StudentFailure:
            return Packet()

    def _index(self, grade_id: str) -> int:
        return next(i for i, cell in enumerate(self.session.notebook.cells) if _grade_id(cell) == grade_id)

    def _missing(self, name: str, grade_id: str) -> StudentFailure:
        """Why ``name`` does not exist at a grade cell: the first cell that should have made it and did not end well."""
        solution = self._index(self.grade_cells[grade_id].solution)
        for i in range(solution, self._index(grade_id)):
            cell, verdict = self.session.notebook.cells[i], self.session.outcomes.get(i, Verdict.PASSED)
            if verdict is Verdict.PASSED or cell.metadata.get("nbgrader", {}).get("grade", True):
                continue  # neither the self-checks nor the student's own cells make what is graded
            error = next((o for o in cell.outputs if o.output_type == "error"), None)
            detail = f"{error.ename}: {error.evalue}"[:300] if error and verdict is Verdict.ERROR else ""
            return StudentFailure(verdict, detail)
        return missing_name(name)


def _unreadable(spec: NotebookSpec, paths: list[Path], why: str) -> Graded:
    cells = list(collect_hidden_tests(paths).values())
    for cell in cells:
        cell.tests = [replace(test, verdict=Verdict.UNREADABLE, detail=why) for test in cell.tests]
    unchanged = {cell.solution for cell in spec.grade_cells}
    return Graded(spec.skeleton, NotebookResult(cells, unreadable=why), Packet(), unchanged)


def _grade_id(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))
