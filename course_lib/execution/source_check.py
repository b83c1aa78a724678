"""Grade the source notebooks first: they must earn every point, and they provide training runs for the class."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from logging import Logger

import nbformat

from ..assignment.loader import check_points, hidden_names
from ..assignment.spec import NotebookSpec
from ..judge.task import GradedNotebook, GradingTask, is_complete
from ..results.errors import AssignmentError, GraderError, only_hidden
from ..results.result import Verdict
from .result_cache import ResultCache
from .run_settings import RunSettings, cores
from .worker_pool import WorkerPool


@dataclass(frozen=True)
class SourceCheck:
    """Grades source notebooks, first as sources, then exactly like a student's notebook."""

    settings: RunSettings
    pool: WorkerPool
    cache: ResultCache
    keep: Callable[[str, GradedNotebook], None]
    """Stores a result under a key."""
    log: Logger

    def check(self, as_students: GradingTask) -> None:
        """Grade one source notebook, unless that was done with the same key.

        A notebook that trains with course_lib is graded twice: the second grading reuses the training runs of the
        first. This catches a training loop with side effects, and a notebook that exceeds the students' time limits,
        before the first student is graded.

        Args:
            as_students: the task for the source notebook, as if a student had handed it in.

        Raises:
            AssignmentError: if it does not earn every point; the message names cells and tests.
        """
        spec = as_students.spec
        as_source = replace(as_students, is_source=True, key=f"{as_students.key}-source", train_once=True)
        known = self.cache.get(as_source.key)
        if known is not None and all(is_complete(as_source.trainings / name) for name in known.trainings):
            return
        trains = self.settings.train_once and spec.uses_course_lib
        training = " (training its models first if needed)" if trains else ""
        self.log.info("Grading the source notebook %s%s", spec.name, training)
        if trains and "threads" not in self.settings.given_limits:  # nothing else runs yet
            threads = 0 if self.settings.scheduler else cores()
            as_source = replace(as_source, limits=replace(as_source.limits, threads=threads))
        try:
            [graded] = self.pool.grade([as_source])
            warnings = [*graded.warnings, *stopped_cells(spec, graded)]
            if trains:
                [again] = self.pool.grade([as_students])
                warnings += stopped_cells(spec, again)
        except GraderError as error:
            raise AssignmentError(f"No submission was graded. {error}") from error
        for line in dict.fromkeys(warnings):
            self.log.warning("%s", line)
        self.log.info("The source notebook earns %g/%g", graded.result.score, graded.result.points)
        self.keep(as_source.key, graded)


def stopped_cells(spec: NotebookSpec, graded: GradedNotebook) -> list[str]:
    """A line for each cell of a source notebook that stopped with an error although all hidden tests pass.

    A classic cell that does not earn its points is in the list, too. It does not stop the command:
    stock nbgrader would grade the course, too.

    Raises:
        AssignmentError: if a hidden test does not pass, or a classic cell gives more points than it has.
    """
    check_points(spec, graded.result.cells)
    lost: list[str] = []
    classic: list[str] = []
    for cell in graded.result.cells:
        is_faulty = any(test.verdict is Verdict.TEST_CRASHED for test in cell.tests)
        lines = [f"{cell.grade_id}: {line}" for line in cell.lost]
        (classic if cell.classic and not is_faulty else lost).extend(lines)
    stopped = [
        f"{spec.name}.ipynb, cell '{cell.metadata.nbgrader.grade_id}' stopped: {output.ename}: {output.evalue}"
        for cell in nbformat.reads(graded.notebook, as_version=4).cells
        if "nbgrader" in cell.metadata
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    if lost:
        hidden = sorted(name for name in hidden_names(spec) if re.search(rf"\b{name}\b", "\n".join(lost)))
        slow = any(test.verdict is Verdict.TIMEOUT for test in graded.result.tests)
        raise AssignmentError(
            f"The source notebook {spec.name} does not pass its own hidden tests. No submission was graded.\n"
            + "\n".join([*stopped, *lost])
            + "\nTo allow more time, set c.JudgedAutograde.limits in nbgrader_config.py" * slow
            + f"\n{only_hidden(', '.join(hidden))}" * bool(hidden)
        )
    advice = "Students may lose these points through no fault of theirs: correct the solution or the tests"
    failing = [f"{spec.name}.ipynb: the instructor's own answers lose points in {line}. {advice}" for line in classic]
    return failing or stopped
