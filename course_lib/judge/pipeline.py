"""Grade one notebook of one submission: a function of the submitted bytes, the assignment and the limits."""

import base64
import contextlib
import functools
import re
import time
from collections import defaultdict
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat
import pytest
import torch
from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from ..assignment.cells import cell_name, first_line, is_given, is_training
from ..authoring.errors import GradingFault
from ..authoring.failures import StudentFailure, missing_name, raised_verdict
from ..authoring.notebook import StudentNotebook
from ..authoring.pytest_plugin import collect_hidden_tests, run_hidden_tests
from ..authoring.result import CellResult, NotebookResult, Verdict, printable
from ..error_hints import MAX_TEXT, known_error_cause
from ..kernel.wire import Packet
from ..messages import say, set_language
from .annotate import METADATA, annotate
from .notebook_runner import NotebookRunner
from .rebuild import UnreadableNotebook, read_notebook, rebuild
from .sanitize import drop_outputs, sanitize_notebook
from .task import Device, GradedNotebook, GradingTask, figures_folder
from .time_limit import TimeIsUp, time_limit
from .training_cache import (
    code_name,
    is_kept,
    keep_code_training,
    keep_figures,
    keep_trainings,
    locked,
    recall,
    recall_code,
)

__all__ = ["grade"]

PREPARE = 15
"""Seconds to read a notebook, and to clean what it displayed; either takes less than one."""


def grade(job: GradingTask) -> GradedNotebook:
    """Grade one notebook.

    A model that behaves like no other is trained at most until it has reached the required accuracy. When its hidden
    tests then want more, which they may, the notebook is graded again with whole trainings.

    Raises:
        GradingFault: if a hidden test fails by itself, if no kernel starts, or if it is killed from outside.
    """
    began = time.monotonic()
    set_language(job.language)
    if job.limits.threads:
        torch.set_num_threads(job.limits.threads)  # workers share the cores
    paths = list(job.spec.tests.values())
    if isinstance(job.submitted, str):
        return _unreadable(job, paths, job.submitted)
    try:
        with time_limit(PREPARE):
            cells = read_notebook(job.submitted)
            rebuilt = rebuild(job.spec.skeleton, cells)
    except UnreadableNotebook as error:
        return _unreadable(job, paths, str(error))
    except TimeIsUp:
        return _unreadable(job, paths, say("rebuild.too_long"))
    seconds: defaultdict[str, float] = defaultdict(float)
    early = job.train_once and not job.reference
    while True:
        left = replace(job.limits, submission=max(1.0, job.limits.submission - sum(seconds.values())))
        try:
            run = _run(replace(job, limits=left), rebuilt.notebook, paths, early, seconds)
        except TrainingNeeded as needed:
            _train(job, needed, seconds)
        else:
            if not (early and run.wants_more()):
                break
            early = False
        rebuilt = rebuild(job.spec.skeleton, cells)
    try:
        with time_limit(PREPARE):
            sanitize_notebook(rebuilt.notebook)
    except TimeIsUp:
        drop_outputs(rebuilt.notebook)
    results = []
    for cell in job.spec.automatic:
        tested = run.tested[cell.grade_id]
        tested.solution = cell.solution
        if cell.solution in rebuilt.unchanged:  # nothing was tried, but where an answer elsewhere gives something wrong
            for test in tested.tests:
                if test.verdict not in (Verdict.PASSED, Verdict.FAILED):
                    test.verdict, test.detail = Verdict.NOT_ATTEMPTED, ""
        results.append(tested)
    unanswered = _unanswered(job, rebuilt.unchanged)
    result = NotebookResult(results, rebuilt.repairs, "", unanswered, protection=job.protection, device=job.device)
    result.seconds = round(time.monotonic() - began, 2)
    result.phases = {phase: round(value, 3) for phase, value in seconds.items()}
    return GradedNotebook(_autograded(job, rebuilt.notebook, result), result, rebuilt.unchanged, run.trainings)


def _run(
    job: GradingTask, notebook: NotebookNode, paths: list[Path], early: bool, seconds: defaultdict[str, float]
) -> "_Run":
    """Run the cells of a notebook and its hidden tests.

    Raises:
        TrainingNeeded: if a model has to be trained first.
    """
    device: Device = job.device if job.reference or not job.train_once else "cpu"
    with _session(job, notebook, lambda request: run.training(request), device) as session:
        run = _Run(job, session, early)
        try:
            run.tested = run_hidden_tests(paths, run.student_at, run.accuracies)
            run.explain()
            session.run_until(len(notebook.cells))
            if job.reference:
                run.trainings += keep_trainings(_report(session, "trainings"), job.trainings)
                keep_figures(_report(session, "figures"), _shown(notebook), figures_folder())
        finally:
            for phase, value in session.seconds.items():
                seconds[phase] += value
    return run


def _session(
    job: GradingTask, notebook: NotebookNode, training: Callable[[Packet], Packet], device: Device
) -> NotebookRunner:
    return NotebookRunner(notebook, job.library, job.limits, job.protection, job.files, training, device)


def _shown(notebook: NotebookNode) -> set[bytes]:
    """The pictures below given cells; those of the instructor's answers are not for students' kernels."""
    outputs = [output for cell in notebook.cells if is_given(cell) for output in cell.get("outputs", [])]
    return {base64.b64decode(output.data["image/png"]) for output in outputs if "image/png" in output.get("data", {})}


def _report(session: NotebookRunner, of: str) -> Packet:
    """The ``trainings`` that ended in the kernel, or the ``figures`` drawn there."""
    try:
        return session.ask(Packet({"ask": of}))
    except StudentFailure:
        return Packet()


class TrainingNeeded(pytest.exit.Exception):  # type: ignore[name-defined]  # pytest's public name
    """Ends the run of a notebook: the training that it is about to do belongs into a kernel of its own.

    Args:
        cells: what has to run there, the training cell last.
        enough: the accuracy at which the training may end.
        path: where the training has to be stored.
    """

    def __init__(self, cells: list[NotebookNode], enough: float | None, path: Path) -> None:
        super().__init__(path.name)
        self.cells = cells
        self.enough = enough
        self.path = path


def _train(job: GradingTask, needed: TrainingNeeded, seconds: defaultdict[str, float]) -> None:
    """Train the model of a student, by equal code for all of them: once in a class.

    What does not end well on a graphics card is trained again on the CPU: others' code may have taken the card's
    memory, which shows at once and is nobody's time.
    """
    with locked(needed.path):
        began = time.monotonic()  # to wait for the same training by another worker is nobody's time
        if not is_kept(needed.path):
            report = Packet()
            if job.device != "cpu":
                with contextlib.suppress(GradingFault):
                    report = _trained(job, needed, job.device)
            if not report.fields.get("trainings"):
                if time.monotonic() - began < job.limits.training / 10:
                    began = time.monotonic()
                report = _trained(job, needed, "cpu")
            keep_code_training(report, needed.path)
    seconds["training"] += time.monotonic() - began


def _trained(job: GradingTask, needed: TrainingNeeded, device: Device) -> Packet:
    """What the kernel reports in which a training ran alone."""
    enough = Packet({} if needed.enough is None else {"enough": needed.enough})

    def training(request: Packet) -> Packet:
        found, _ = recall(request, job.trainings)
        return found if found.tensors else enough

    notebook = new_notebook(cells=deepcopy(needed.cells))
    with _session(job, notebook, training, device) as session:
        session.run_until(len(notebook.cells))
        return _report(session, "trainings")


def _autograded(job: GradingTask, notebook: NotebookNode, result: NotebookResult) -> str:
    """The text of the autograded notebook."""
    annotate(notebook, result)
    notebook.metadata[METADATA]["key"] = job.key
    return str(nbformat.writes(notebook))


@dataclass
class _Run:
    """A notebook on its way through its hidden tests."""

    job: GradingTask
    session: NotebookRunner
    early: bool
    """Whether trainings may end as soon as a model is accurate enough."""
    tested: dict[str, CellResult] = field(default_factory=dict)
    """The results by grade cell."""
    accuracies: dict[str, float] = field(default_factory=dict)
    """By grade cell: the accuracy that the model trained before it must reach."""
    trainings: list[str] = field(default_factory=list)
    """Names of the finished trainings by the instructor's notebook that were used."""
    ended_early: set[str] = field(default_factory=set)
    """Grade cells before which a training ended before its last epoch."""
    failures: dict[tuple[str, object], list[StudentFailure]] = field(default_factory=dict)
    """By grade cell and the name asked about: the questions that killed the kernel or ran out of time."""

    def student_at(self, grade_id: str) -> StudentNotebook:
        """The student's notebook once its cells have run up to a grade cell, the cell's own self-check included."""
        index = self._index[grade_id]
        self.session.run_until(index + 1)
        return StudentNotebook(
            lambda question: self._ask(question, grade_id), lambda name: self._missing(name, grade_id)
        )

    def _ask(self, question: Packet, grade_id: str) -> Packet:
        check = self.session.outcomes.get(self._index[grade_id], Verdict.PASSED)
        first = [] if check in (Verdict.PASSED, Verdict.ERROR) else [StudentFailure(check)]
        failures = self.failures.setdefault((grade_id, question.fields.get("name")), first)
        if len(failures) >= self.session.limits.failures:
            raise failures[-1]
        try:
            return self.session.ask(question)
        except StudentFailure as failure:
            failures.append(failure)
            raise

    def training(self, request: Packet) -> Packet:
        """Answer a kernel that is about to train a model: with a finished training, or when it may stop.

        Raises:
            TrainingNeeded: if nobody has trained that model yet.
        """
        if not self.job.train_once:
            return Packet()
        found, name = recall(request, self.job.trainings)
        if found.tensors:
            self.trainings.append(name)
            return found
        cells = self.session.notebook.cells
        graded = next((c for c in self.job.spec.automatic if self._index[c.grade_id] > self.session.running), None)
        if self.job.reference or graded is None or not is_training(cells[self.session.running]):
            return Packet()
        if request.fields.get("stopped"):
            self.ended_early.add(graded.grade_id)
            return Packet()
        alone = [
            cell for cell in cells[: self.session.running + 1]
            if cell.cell_type == "code" and (is_given(cell) or cell_name(cell) == graded.solution)
        ]  # fmt: skip
        enough = self.accuracies.get(graded.grade_id) if self.early else None
        path = self.job.trainings / code_name(alone, enough)
        if not is_kept(path):
            raise TrainingNeeded(alone, enough, path)
        found, stopped = recall_code(request, path)
        if stopped:
            self.ended_early.add(graded.grade_id)
        return found if found.tensors or enough is None else Packet({"enough": enough})

    def wants_more(self) -> bool:
        """Whether points were lost where a training ended early."""
        return any(self.tested[name].score < self.tested[name].points for name in self.ended_early)

    @functools.cached_property
    def _index(self) -> dict[str, int]:
        """Where each cell of the assignment is."""
        return {cell_name(cell): i for i, cell in enumerate(self.session.notebook.cells)}

    def explain(self) -> None:
        """Say of a property that fails without a known cause that the cell which was to see to it did not end well."""
        for cell in self.tested.values():
            stopped = self._stopped(cell.grade_id)
            for test in cell.tests:
                if stopped is not None and test.verdict is Verdict.FAILED and not test.detail:
                    test.verdict, test.detail = stopped.verdict, stopped.detail

    def _missing(self, name: str, grade_id: str) -> StudentFailure:
        """Why ``name`` does not exist at a grade cell."""
        return self._stopped(grade_id) or missing_name(name)

    def _stopped(self, grade_id: str) -> StudentFailure | None:
        """What became of the first cell that a grade cell is about and that did not end well, if there is one."""
        solution = next(c.solution for c in self.job.spec.automatic if c.grade_id == grade_id)
        for i in range(self._index[solution] if solution else 0, self._index[grade_id]):
            cell, verdict = self.session.notebook.cells[i], self.session.outcomes.get(i, Verdict.PASSED)
            if verdict is Verdict.PASSED or cell.metadata.get("nbgrader", {}).get("grade", True):
                continue  # neither the self-checks nor the student's own cells make what is graded
            error = next((o for o in cell.outputs if o.output_type == "error"), None)
            detail = first_line(cell) if verdict is Verdict.TIMEOUT else ""
            if error is not None and verdict is Verdict.ERROR:
                verdict = raised_verdict(error.ename, error.evalue)
                message = re.sub(r"\(\d+\.py, line ", "(line ", error.evalue[:MAX_TEXT])  # a number means nothing here
                told = f"{error.ename}: {message}"[:300] if message else error.ename[:300]
                cause = known_error_cause(error.ename, message) or ("" if message else say("cause.error"))
                detail = say("separator").join(filter(None, (printable(told), cause)))
            return StudentFailure(verdict, detail)
        return None


def _unanswered(job: GradingTask, unchanged: set[str]) -> list[str]:
    """The cells for a person that are among ``unchanged``."""
    return [cell.grade_id for cell in job.spec.grade_cells if cell.manual and cell.grade_id in unchanged]


def _unreadable(job: GradingTask, paths: list[Path], why: str) -> GradedNotebook:
    cells = list(collect_hidden_tests(paths).values())
    solutions = {cell.grade_id: cell.solution for cell in job.spec.automatic}
    for cell in cells:
        cell.solution = solutions[cell.grade_id]
        cell.tests = [replace(test, verdict=Verdict.UNREADABLE, detail=why) for test in cell.tests]
    unchanged = {cell.solution or cell.grade_id for cell in job.spec.grade_cells}
    result = NotebookResult(cells, unreadable=why, unanswered=_unanswered(job, unchanged))
    return GradedNotebook(_autograded(job, deepcopy(job.spec.skeleton), result), result, unchanged)
