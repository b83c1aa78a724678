"""Grade one notebook of one submission: a function of the submitted bytes, the assignment and the limits.

The steps that a submission goes through::

    rebuild_submission      the submitted bytes  -> a notebook in the shape of the assignment
    run_with_trainings      that notebook        -> the outcome of its cells and hidden tests
    clean_outputs           its outputs are sanitized
    decide                  the outcome          -> the verdict of each hidden test
    write_autograded        the verdicts         -> the notebook that students and instructors read
"""

import time
from collections import defaultdict
from copy import deepcopy
from dataclasses import replace

import nbformat
from nbformat import NotebookNode

from ..assignment.cells import cell_name, is_python, language_of
from ..authoring.probe_source import probed_cells
from ..messages import say, set_language
from ..results.errors import GraderError
from ..results.result import CellResult, NotebookResult, Verdict
from .annotate import annotate
from .classic_cells import classic_questions, classic_results_before_run, run_classic_cells
from .notebook_runner import NotebookRunner
from .outcomes import Finished, NeedsFullTraining, NeedsTraining, Outcome
from .parse_timeout import ParseTimeout, parse_timeout
from .read_notebook import UnreadableNotebook, checksum, read_metadata, read_notebook, restore_outputs
from .rebuild import Rebuilt, rebuild
from .sanitize import drop_outputs, sanitize_notebook
from .shared_training import train
from .source_run import keep_source_results
from .task import Device, GradedNotebook, GradingTask, Unreadable
from .training_requests import TrainingRequests

PARSE_SECONDS = 15
"""Seconds to read a notebook, and to clean its outputs. Each normally takes under a second."""

PhaseSeconds = defaultdict[str, float]
"""Seconds spent in each phase: see :class:`course_lib.judge.notebook_runner.NotebookRunner`."""


def grade(task: GradingTask) -> GradedNotebook:
    """Grade one notebook.

    Raises:
        GraderError: if a hidden test has an error of its own, if no kernel starts, or if one is killed from outside.
    """
    began = time.monotonic()
    set_language(task.language)
    check_kernel(task)
    try:
        rebuilt = rebuild_submission(task)
    except UnreadableNotebook as error:
        return unreadable_result(task, str(error))
    if not task.execute:
        return unexecuted_result(task, rebuilt)
    seconds: PhaseSeconds = defaultdict(float)
    finished = run_with_trainings(task, rebuilt.notebook, seconds)
    clean_outputs(finished.notebook)
    result = decide(task, rebuilt, finished)
    result.seconds = round(time.monotonic() - began, 2)
    result.phases = {phase: round(value, 3) for phase, value in seconds.items()}
    text = write_autograded(task, finished.notebook, result)
    return GradedNotebook(text, result, rebuilt.unchanged, finished.trainings, finished.warnings)


def check_kernel(task: GradingTask) -> None:
    """Refuse a notebook that is not in Python, if the source notebook does not name its language.

    Raises:
        GraderError: if it is not in Python; the message names the notebook and its language.
    """
    if not isinstance(task.submitted, bytes) or language_of(task.spec.source.metadata):
        return
    other = language_of(read_metadata(task.submitted))
    if other and not is_python(other):
        raise GraderError(
            f"{task.spec.name}.ipynb asks for a kernel for {other}, but only Python can be graded. If it is "
            "Python after all, choose a Python kernel in the source notebook; that choice applies to every submission"
        )


def rebuild_submission(task: GradingTask) -> Rebuilt:
    """Put the student's answers into the shape of the assignment.

    Raises:
        UnreadableNotebook: if the submission is not a notebook; the message says why.
    """
    if isinstance(task.submitted, Unreadable):
        raise UnreadableNotebook(task.submitted.reason)
    try:
        with parse_timeout(PARSE_SECONDS):
            return rebuild(task.spec.skeleton, read_notebook(task.submitted), task.spec.source)
    except ParseTimeout:
        raise UnreadableNotebook(say("rebuild.too_long")) from None


def run_with_trainings(task: GradingTask, notebook: NotebookNode, seconds: PhaseSeconds) -> Finished:
    """Run the notebook, and run it again after each training run that it needs.

    A model that matches no stored training run is first trained until it reaches the required accuracy. If it then
    loses points that full training might earn, the notebook is run again with full training.
    """
    early = task.train_once and not task.is_source
    while True:
        in_time = task.after(seconds.values())
        outcome = run_notebook(in_time, deepcopy(notebook), early, seconds)
        match outcome:
            case Finished():
                return outcome
            case NeedsTraining():
                train(in_time, outcome, seconds)
            case NeedsFullTraining():
                early = False


def run_notebook(task: GradingTask, notebook: NotebookNode, early: bool, seconds: PhaseSeconds) -> Outcome:
    """Run the cells of a notebook and its hidden tests, once.

    Args:
        task: what to grade.
        notebook: gets the outputs of its cells.
        early: whether training may end as soon as a model is accurate enough.
        seconds: gets the time of each phase.
    """
    device: Device = task.device if task.is_source or not task.train_once else "cpu"
    accuracies: dict[str, float] = {}
    requests = TrainingRequests(task, notebook.cells, accuracies, early)
    probed = probed_cells(task.spec.tests)
    snapshots = [i for i, cell in enumerate(notebook.cells) if cell_name(cell) in probed]
    classic = classic_questions(task, notebook)
    if not task.spec.needs_hidden_lines:  # else the notebook runs a second time, with the whole cells
        snapshots += classic
    with NotebookRunner.for_task(task, notebook, requests.answer, device, snapshots, classic) as runner:
        try:
            cells: dict[str, CellResult] = {}
            if task.spec.tests:
                from .judged_cells import run_judged_cells  # imports torch, which takes seconds

                cells = run_judged_cells(task, runner, probed, accuracies)
            runner.run_until(len(notebook.cells))
            if runner.needs_training is not None:
                return runner.needs_training
            made, warnings = keep_source_results(task, notebook, runner) if task.is_source else ([], [])
            cells |= run_classic_cells(task, runner, requests.answer, device)
            if any(cells[name].score < cells[name].points for name in requests.ended_early):
                return NeedsFullTraining()
        finally:
            for phase, value in runner.seconds.items():
                seconds[phase] += value
    return Finished(notebook, cells, [*requests.reused, *made], warnings)


def clean_outputs(notebook: NotebookNode) -> None:
    """Sanitize the outputs; if that takes too long, drop them."""
    try:
        with parse_timeout(PARSE_SECONDS):
            sanitize_notebook(notebook)
    except ParseTimeout:
        drop_outputs(notebook)


def decide(task: GradingTask, rebuilt: Rebuilt, finished: Finished) -> NotebookResult:
    """The result of the notebook, cell by cell."""
    cells = []
    for cell in task.spec.automatic:
        result = finished.cells[cell.grade_id]
        result.solution = cell.solution
        if cell.solution in rebuilt.unchanged:  # a test that passed or failed has found the answer in another cell
            for test in result.tests:
                if test.verdict not in (Verdict.PASSED, Verdict.PARTIAL, Verdict.FAILED):
                    test.verdict, test.detail = Verdict.NOT_ATTEMPTED, ""
        cells.append(result)
    unanswered = _unanswered(task, rebuilt.unchanged)
    return NotebookResult(cells, rebuilt.repairs, unanswered=unanswered, protection=task.protection, device=task.device)


def unreadable_result(task: GradingTask, why: str) -> GradedNotebook:
    """The result of a submission that cannot be read: 0 points everywhere, and the reason."""
    found = classic_results_before_run(task.spec)
    if task.spec.tests:
        from .judged_cells import judged_results_before_run  # imports torch, which takes seconds

        found |= judged_results_before_run(task.spec)
    cells: list[CellResult] = [found[cell.grade_id] for cell in task.spec.automatic]
    solutions = {cell.grade_id: cell.solution for cell in task.spec.automatic}
    for cell in cells:
        cell.solution = solutions[cell.grade_id]
        cell.tests = [replace(test, verdict=Verdict.UNREADABLE, detail=why) for test in cell.tests]
    unchanged = {cell.solution or cell.grade_id for cell in task.spec.grade_cells}
    unanswered = _unanswered(task, unchanged)
    result = NotebookResult(cells, unreadable=why, unanswered=unanswered, protection=task.protection)
    return GradedNotebook(write_autograded(task, deepcopy(task.spec.skeleton), result), result, unchanged)


def unexecuted_result(task: GradingTask, rebuilt: Rebuilt) -> GradedNotebook:
    """The result of a submission that is not run: it has the student's own outputs, and a person grades it."""
    assert isinstance(task.submitted, bytes)
    restore_outputs(rebuilt.notebook, task.submitted)
    clean_outputs(rebuilt.notebook)
    result = NotebookResult([], rebuilt.repairs, unanswered=_unanswered(task, rebuilt.unchanged))
    return GradedNotebook(write_autograded(task, rebuilt.notebook, result), result, rebuilt.unchanged)


def write_autograded(task: GradingTask, notebook: NotebookNode, result: NotebookResult) -> str:
    """The autograded notebook, with the result in it, as the text of a file.

    Classic cells get their hidden lines, as in nbgrader: the instructor can run the notebook. Pages for students do not
    show these lines (:class:`course_lib.nbgrader_plugins.feedback_page.HideTests`).
    """
    annotate(notebook, result, task.key)
    for cell in notebook.cells:
        if cell_name(cell) in task.spec.classic:
            cell.source = task.spec.classic[cell_name(cell)]
            cell.metadata.nbgrader.checksum = checksum(cell, cell.metadata.nbgrader)
    return str(nbformat.writes(notebook))


def _unanswered(task: GradingTask, unchanged: set[str]) -> list[str]:
    """The manually graded cells that were handed in unchanged."""
    return [cell.grade_id for cell in task.spec.grade_cells if cell.manual and cell.grade_id in unchanged]
