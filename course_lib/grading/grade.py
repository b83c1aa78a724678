"""Grade one notebook of one submission: a function of the submitted bytes, the assignment and the limits."""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from nbformat import NotebookNode

from ..kernel.wire import Packet
from ..messages import say, set_language
from .assignment import GradeCell, NotebookSpec
from .deadline import TimeIsUp, time_limit
from .harmless import drop_outputs, make_harmless
from .hidden import collect_hidden_tests, run_hidden_tests
from .job import Graded, Job
from .rebuild import UnreadableNotebook, read_notebook, rebuild
from .result import NotebookResult, Verdict
from .session import Session
from .student import Student, StudentFailure, missing_name
from .trainings import finished_training, keep_trainings

__all__ = ["grade"]

PREPARE = 15
"""Seconds to read a notebook, and to clean what it displayed; either takes less than one."""


def grade(job: Job) -> Graded:
    """Grade one notebook.

    Raises:
        GradingFault: if a hidden test fails by itself.
    """
    began = time.monotonic()
    set_language(job.language)
    if job.limits.threads:
        torch.set_num_threads(job.limits.threads)  # workers share the cores
    paths = list(job.spec.tests.values())
    try:
        with time_limit(PREPARE):
            rebuilt = rebuild(job.spec.skeleton, read_notebook(job.submitted))
    except UnreadableNotebook as error:
        return _unreadable(job.spec, paths, str(error))
    except TimeIsUp:
        return _unreadable(job.spec, paths, say("rebuild.too_long"))
    with Session(
        rebuilt.notebook,
        job.library,
        job.limits,
        job.protection,
        job.files,
        lambda request: finished_training(request, job.trainings),
    ) as session:
        run = _Run(session, {cell.grade_id: cell for cell in job.spec.automatic})
        tested = run_hidden_tests(paths, run.student_at)
        session.run_until(len(rebuilt.notebook.cells))
        trained = keep_trainings(run.trainings(), job.trainings) if job.keep_trainings else 0
    try:
        with time_limit(PREPARE):
            make_harmless(rebuilt.notebook)
    except TimeIsUp:
        drop_outputs(rebuilt.notebook)
    for cell in job.spec.automatic:
        if cell.solution in rebuilt.unchanged:  # whatever its tests met, nothing was tried
            tests = tested[cell.grade_id].tests
            tested[cell.grade_id].tests = [
                t if t.verdict is Verdict.PASSED else replace(t, verdict=Verdict.NOT_ATTEMPTED, detail="")
                for t in tests
            ]
    results = [tested[cell.grade_id] for cell in job.spec.automatic]
    seconds = round(time.monotonic() - began, 2)
    result = NotebookResult(results, rebuilt.repairs, protection=job.protection, seconds=seconds)
    return Graded(rebuilt.notebook, result, trained, rebuilt.unchanged)


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
    return Graded(spec.skeleton, NotebookResult(cells, unreadable=why), 0, unchanged)


def _grade_id(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))
