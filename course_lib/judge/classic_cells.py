"""Grade cells that are tested by their own code, as in every nbgrader course.

The notebook runs as it was released. Before each of these cells, the kernel is forked. When all cells have run, the
whole cell of the source notebook, hidden lines included, runs in the fork, and its answer becomes points by nbgrader's
rules (:func:`points_of`). If the kernel cannot be forked, or if a later cell needs what only hidden lines define, the
notebook runs a second time, in another kernel, with the whole cells; the outputs of this run are discarded.
"""

import builtins
import math
import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from nbformat import NotebookNode

from ..assignment.cells import cell_name
from ..assignment.spec import GradeCell, NotebookSpec
from ..error_causes import known_error_cause
from ..kernel.wire import Packet, Value, WireError, restore
from ..messages import MESSAGES, say
from ..results.failures import StudentFailure, error_text, exception_verdict
from ..results.result import CellResult, TestResult, Verdict, printable
from .notebook_runner import SEED_STRIDE, AnswerTraining, NotebookRunner
from .task import Device, GradingTask

KernelReply = Packet | StudentFailure

_ARROW = re.compile(r"^-+> ?\d+ (.*)$", re.MULTILINE)
"""The line of a cell that IPython's traceback points at."""

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")

_BUILTIN_TYPES = {name for name, value in vars(builtins).items() if isinstance(value, type)}
"""Names that feedback about a hidden line may show: a class that the student defines could smuggle data in its name."""


def classic_questions(task: GradingTask, notebook: NotebookNode) -> dict[int, Packet]:
    """The question that runs each classic cell, by the index of the cell."""
    return {
        i: Packet({"ask": "cell", "source": task.spec.classic[cell_name(cell)], "seed": SEED_STRIDE * task.seed + i})
        for i, cell in enumerate(notebook.cells)
        if cell_name(cell) in task.spec.classic
    }


def classic_results_before_run(spec: NotebookSpec) -> dict[str, CellResult]:
    """A result for each classic cell, by its id: as if it had not run."""
    return {
        cell.grade_id: CellResult(
            cell.grade_id,
            [TestResult(cell.grade_id, cell.points, MESSAGES["classic.rationale"], Verdict.NOT_ATTEMPTED)],
            classic=True,
        )
        for cell in spec.automatic
        if cell.grade_id in spec.classic
    }


def run_classic_cells(
    task: GradingTask, runner: NotebookRunner, answer_training: AnswerTraining, device: Device
) -> dict[str, CellResult]:
    """The results of the classic cells, by id.

    Args:
        task: what to grade.
        runner: has run all cells of the notebook.
        answer_training: answers training requests, should the notebook run again.
        device: where models are trained.
    """
    results = classic_results_before_run(task.spec)
    if not results:
        return {}
    answers: dict[int, KernelReply] = {}
    some_without_snapshot = False
    for index, question in runner.classic.items():
        outcome = runner.outcomes.get(index, Verdict.KERNEL_DIED)
        if outcome not in (Verdict.PASSED, Verdict.ERROR):
            answers[index] = StudentFailure(outcome)  # its visible lines took too long, or ended the kernel
        elif not runner.has_snapshot(index):
            some_without_snapshot = True
        else:
            try:
                answers[index] = runner.ask_snapshot(index, question, alone=True)
            except StudentFailure as failure:
                answers[index] = failure
    if some_without_snapshot:
        answers = _run_again(task, runner, answer_training, device) | answers
    grade_cells = {cell.grade_id: cell for cell in task.spec.automatic}
    for index in runner.classic:
        shown = runner.notebook.cells[index]
        [test] = results[cell_name(shown)].tests
        _decide(test, task.spec, grade_cells[cell_name(shown)], answers[index], shown)
    return results


def _run_again(
    task: GradingTask, runner: NotebookRunner, answer_training: AnswerTraining, device: Device
) -> dict[int, KernelReply]:
    """Run the notebook in a new kernel with the whole grade cells; return their answers."""
    in_time, notebook = task.after(runner.seconds.values()), deepcopy(runner.notebook)
    runner.stop()  # a sandbox runs one kernel at a time
    with NotebookRunner.for_task(
        in_time, notebook, answer_training, device, classic=runner.classic, in_place=True
    ) as second:
        second.run_until(len(notebook.cells))
        for phase, seconds in second.seconds.items():
            runner.seconds[phase] += seconds
        nothing: dict[int, KernelReply] = dict.fromkeys(runner.classic, StudentFailure(Verdict.KERNEL_DIED))
        return nothing | second.answers


def _decide(test: TestResult, spec: NotebookSpec, cell: GradeCell, answer: KernelReply, shown: NotebookNode) -> None:
    """Set the verdict on a classic cell.

    Args:
        test: gets the verdict.
        spec: the notebook.
        cell: the grade cell.
        answer: what the whole cell gave.
        shown: the cell with the outputs of its visible lines.
    """
    if isinstance(answer, Packet) and answer.fields.get("status") == "ok":
        try:
            test.verdict, test.partial = points_of(_value(answer), cell.points)
        except ValueError as error:
            test.verdict, test.note = Verdict.TEST_CRASHED, f"{spec.place(cell.grade_id)}: {error}"
    else:
        failure = answer if isinstance(answer, StudentFailure) else _failure(answer.fields, spec, cell, shown)
        test.verdict, test.detail, test.note = failure.verdict, failure.detail, failure.note
    test.asked = [printable(f"the grade cell's own code -> {test.verdict} {test.note}")]


def _value(answer: Packet) -> Value:
    try:
        return restore(answer.fields.get("value"), answer.tensors)
    except WireError:
        return None


def points_of(value: object, points: float) -> tuple[Verdict, float]:
    """What nbgrader gives for the value of a grade cell's last line.

    Args:
        value: a number, or anything else if the last line gives no number.
        points: the points of the cell.

    Returns:
        The verdict and the points.

    Raises:
        ValueError: if the value is more than the cell's points.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or math.isnan(value) or value < 0 or value == points:  # type: ignore[arg-type, operator]
        return Verdict.PASSED, points
    earned = float(value)  # type: ignore[arg-type]
    if earned > points:
        raise ValueError(f"the value of its last line is {earned:g}, and the cell has {points:g} points")
    return (Verdict.PARTIAL, earned) if earned else (Verdict.FAILED, 0.0)


def _failure(fields: Mapping[str, Any], spec: NotebookSpec, cell: GradeCell, shown: NotebookNode) -> StudentFailure:
    """Why a classic cell failed. What students read comes from their own run of the visible lines.

    If only a hidden line fails, they read the type of the exception and a likely cause, and no text of the exception:
    it could contain what the hidden line holds.
    """
    kind, message = str(fields.get("type")), str(fields.get("message"))
    note = printable(f"{kind}: {message}")
    seen = next((output for output in shown.get("outputs", []) if output.output_type == "error"), None)
    if seen is not None:
        kind, message = str(seen.ename), str(seen.evalue)
        arrows = _ARROW.findall(_ESCAPE.sub("", "\n".join(map(str, seen.traceback))))
        lines = [line.strip() for line in arrows if line.strip() and line.strip() in shown.source]
        error = error_text(kind, message)
        what = say("classic.line", line=printable(lines[0])[:200], error=error) if lines else error
    elif (name := _missing_name(kind, message)) and re.search(rf"\b{name}\b", _visible_text(spec)):
        what = f"NameError: {name}"
    else:
        what = say("classic.hidden", error=kind if kind in _BUILTIN_TYPES else say("classic.exception"))
    is_assertion = kind == "AssertionError"
    verdict = Verdict.FAILED if is_assertion else exception_verdict(kind, message)
    cause = "" if is_assertion else known_error_cause(kind, message)
    return StudentFailure(verdict, say("separator").join(filter(None, (what, cause))), note)


def _missing_name(kind: str, message: str) -> str:
    found = re.match(r"name '(\w+)' is not defined", message) if kind == "NameError" else None
    return found[1] if found else ""


def _visible_text(spec: NotebookSpec) -> str:
    return "\n".join(cell.source for cell in spec.skeleton.cells)
