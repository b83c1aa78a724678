"""A student's notebook while the hidden tests run on it."""

from collections.abc import Container, Mapping
from functools import partial

from ..assignment.cells import cell_name, first_line
from ..authoring.notebook import Ask, StudentNotebook
from ..authoring.student_code import StudentCode
from ..error_causes import known_error_cause
from ..kernel.wire import Packet
from ..messages import say
from ..results.errors import GraderError
from ..results.failures import StudentFailure, error_text, exception_verdict, missing_name
from ..results.result import CellResult, Verdict
from .notebook_runner import NotebookRunner
from .task import GradingTask


class TestedNotebook:
    """Runs a notebook up to a grade cell, and asks its kernel what the hidden tests want to know there.

    Args:
        task: what to grade.
        runner: runs the cells.
        probed: the grade cells whose tests send probes.
    """

    __test__ = False  # not a test class of pytest

    def __init__(self, task: GradingTask, runner: NotebookRunner, probed: Container[str] = ()) -> None:
        self._task = task
        self._runner = runner
        self._probed = probed
        self._index = {cell_name(cell): i for i, cell in enumerate(runner.notebook.cells)}
        self._failures: dict[tuple[str, object], list[StudentFailure]] = {}
        """By grade cell and the name asked about: the questions that killed the kernel or ran out of time."""

    def at(self, grade_id: str) -> StudentNotebook | None:
        """The notebook after the grade cell ``grade_id`` has run; None if a model has to be trained first.

        If its tests send probes, the whole notebook runs first, so no cell can read or display a probe.
        """
        cells, index = self._runner.notebook.cells, self._index[grade_id]
        probed = grade_id in self._probed
        self._runner.run_until(len(cells) if probed else index + 1)
        if self._runner.needs_training is not None:
            return None
        ask, ask_alone = self._runner.ask, self._no_probes
        if probed:
            ask = partial(self._runner.ask_snapshot, index)
            ask_alone = partial(self._runner.ask_snapshot, index, alone=True)
        return StudentNotebook(
            partial(self._ask, grade_id, ask),
            partial(self._missing, grade_id),
            partial(self._ask, grade_id, ask_alone),
            StudentCode([cell.source for cell in cells[:index] if cell.cell_type == "code"]),
        )

    def _no_probes(self, question: Packet) -> Packet:
        name = question.fields.get("name")
        raise GraderError(
            "The judge found no probe in this test file, so it took no snapshot. "
            f"Call student.run({name}, ...) directly in the file of the test."
        )

    def _ask(self, grade_id: str, ask: Ask, question: Packet) -> Packet:
        check = self._runner.outcomes.get(self._index[grade_id], Verdict.PASSED)
        first = [] if check in (Verdict.PASSED, Verdict.ERROR) else [StudentFailure(check)]
        about = question.fields.get("about") or [question.fields.get("name")]
        failures = self._failures.setdefault((grade_id, about[0]), first)
        if len(failures) >= self._task.limits.failures:
            raise failures[-1]
        try:
            return ask(question)
        except StudentFailure as failure:
            failures.append(failure)
            raise

    def explain(self, results: Mapping[str, CellResult]) -> None:
        """If a test failed for no known reason, and a cell of the answer stopped with an error, name that error."""
        for cell in results.values():
            stopped = self._stopped(cell.grade_id)
            for test in cell.tests:
                if stopped is not None and test.verdict is Verdict.FAILED and not test.detail:
                    test.verdict, test.detail = stopped.verdict, stopped.detail

    def _missing(self, grade_id: str, name: str) -> StudentFailure:
        """Why ``name`` does not exist at a grade cell."""
        return self._stopped(grade_id) or missing_name(name)

    def _stopped(self, grade_id: str) -> StudentFailure | None:
        """Why the first cell of the answer to ``grade_id`` stopped; None if all of them ran to the end."""
        solution = next(c.solution for c in self._task.spec.automatic if c.grade_id == grade_id)
        for i in range(self._index[solution] if solution else 0, self._index[grade_id]):
            cell, verdict = self._runner.notebook.cells[i], self._runner.outcomes.get(i, Verdict.PASSED)
            if verdict is Verdict.PASSED or cell.metadata.get("nbgrader", {}).get("grade", True):
                continue  # neither self-checks nor the student's own cells define what is graded
            error = next((o for o in cell.outputs if o.output_type == "error"), None)
            if verdict is Verdict.TIMEOUT:
                return StudentFailure(verdict, first_line(cell))
            if verdict is Verdict.ERROR and error is not None:
                return _raised(error.ename, error.evalue)
            return StudentFailure(verdict)
        return None


def _raised(kind: str, message: str) -> StudentFailure:
    """What to tell a student whose cell raised an exception of this type."""
    cause = known_error_cause(kind, message) or ("" if message else say("cause.error"))
    text = say("separator").join(filter(None, (error_text(kind, message), cause)))
    return StudentFailure(exception_verdict(kind, message), text)
