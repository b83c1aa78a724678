"""Try an assignment without students, and without the gradebook: what ``course check`` does.

Each check yields the problems that it finds. A problem says what is wrong, where, and how to fix it.
"""

import ast
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ..assignment.answers import Answer
from ..assignment.cells import cell_name, is_read_only
from ..assignment.spec import NotebookSpec
from ..authoring.student_code import StudentCode
from ..judge.task import GradingTask
from ..results.result import NotebookResult, TestResult, Verdict
from .assignment_folders import AssignmentFolders
from .class_run import NewTask
from .open_run import open_pool, prepare_tasks, temporary_folder
from .run_settings import RunSettings
from .worker_pool import WorkerPool


@dataclass(frozen=True)
class Trial:
    """One notebook of an assignment, and where to grade it."""

    spec: NotebookSpec
    new_task: NewTask
    pool: WorkerPool

    def grade(
        self, notebooks: Mapping[str, NotebookNode], seeds: Mapping[str, int] | None = None
    ) -> Iterator[tuple[str, NotebookResult]]:
        """The results of notebooks by name, in the order in which they are ready.

        Args:
            notebooks: notebooks that students could have handed in, by name.
            seeds: the seeds by name. A notebook that is not in it gets seed 0.

        Raises:
            Exception: the error that stopped the grading of a notebook.
        """
        work = (((name,), [self._task(notebook, (seeds or {}).get(name, 0))]) for name, notebook in notebooks.items())
        for (name,), graded in self.pool.grade_all(work):
            if isinstance(graded, Exception):
                raise graded
            yield name, graded[0].result

    def _task(self, notebook: NotebookNode, seed: int) -> GradingTask:
        return replace(self.new_task(self.spec, nbformat.writes(notebook).encode()), seed=seed)


@contextlib.contextmanager
def open_trials(
    folders: AssignmentFolders, settings: RunSettings, specs: Sequence[NotebookSpec]
) -> Iterator[list[Trial]]:
    """A trial of each notebook, on this machine's workers, as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        workspace = stack.enter_context(temporary_folder(None))
        pool = stack.enter_context(open_pool(settings, workspace, settings.workers, specs))
        new_task = prepare_tasks(folders, settings, workspace, specs)
        yield [Trial(spec, new_task, pool) for spec in specs]


def vacuous_tests(trial: Trial) -> Iterator[str]:
    """Grade the released notebook; yield a message for each hidden test that passes or crashes on it."""
    for _, result in trial.grade({"released": trial.spec.skeleton}):
        for cell in result.cells:
            for test in cell.tests:
                if test.verdict is Verdict.PASSED:
                    yield (
                        f"{trial.spec.place(cell.grade_id)}: {test.name} passes on the notebook as students get it. "
                        "Make it test something that the stub fails"
                    )
                elif test.verdict is Verdict.TEST_CRASHED:
                    yield f"{test.note}: this test crashes on the notebook as students get it"


def wrong_marks(trial: Trial, answers: Sequence[Answer]) -> Iterator[tuple[Answer, list[TestResult], str]]:
    """Grade the answers. Yield each one, the tests that it failed, and what is wrong with that: empty if nothing is."""
    by_name = {str(answer.path): answer for answer in answers}
    notebooks = {name: answer.notebook(trial.spec) for name, answer in by_name.items()}
    for name, result in sorted(trial.grade(notebooks), key=lambda found: found[0]):
        answer = by_name[name]
        own = {cell.grade_id for cell in trial.spec.automatic if cell.solution == answer.cell}
        tests = [(cell.grade_id in own, test) for cell in result.cells for test in cell.tests]
        # the answers to later cells may depend on this one, so points lost there do not count
        lost = [t for is_own, t in tests if t.verdict is not Verdict.PASSED and (is_own or t.name in answer.fails)]
        known = sorted({test.name for is_own, test in tests if is_own})
        if unknown := sorted(answer.fails - {test.name for _, test in tests}):
            yield answer, lost, f"there is no hidden test {unknown[0]}; the tests of the cell are {', '.join(known)}"
        else:
            yield answer, lost, _wrong(answer, lost)


def _wrong(answer: Answer, lost: Sequence[TestResult]) -> str:
    names = {test.name for test in lost}
    if faulty := [test.note for test in lost if test.verdict is Verdict.TEST_CRASHED]:
        return f"a hidden test crashes on it: {faulty[0]}"
    if answer.is_right:
        return f"right, but it fails {', '.join(sorted(names))}" if names else ""
    if not answer.fails:
        return "" if names else "wrong, but it passes every test"
    if missed := sorted(answer.fails - names):
        return f"it should fail {', '.join(missed)}, but passes"
    if more := sorted(names - answer.fails):
        return f"it also fails {', '.join(more)}: add them to '# fails:', or correct the tests"
    return ""


def flaky_tests(trial: Trial, seeds: Sequence[int] = (0, 1, 2)) -> Iterator[str]:
    """Grade the solved notebook with several seeds; yield a message for each test whose verdict changes.

    A seed decides the random numbers of each cell, and the order in which Python iterates over sets.
    """
    verdicts: dict[tuple[str, str], set[Verdict]] = {}
    names = {f"seed {seed}": seed for seed in seeds}
    for _, result in trial.grade(dict.fromkeys(names, trial.spec.solved), names):
        for cell in result.cells:
            for test in cell.tests:
                verdicts.setdefault((cell.grade_id, test.name), set()).add(test.verdict)
    for (grade_id, name), found in verdicts.items():
        if len(found) > 1:
            yield (
                f"{trial.spec.place(grade_id)}: {name} gave different verdicts ({', '.join(sorted(found))}) with "
                "different seeds. Test something that does not depend on random numbers"
            )


def redefinable_names(spec: NotebookSpec) -> Iterator[str]:
    """Yield a message for each name that a hidden test asks for and a given cell defines: students can redefine it."""
    given = [cell for cell in spec.skeleton.cells if cell.cell_type == "code" and is_read_only(cell)]
    answers = [cell.source for cell in spec.solved.cells if cell.cell_type == "code" and not is_read_only(cell)]
    defined = {name: cell_name(cell) for cell in given for name in StudentCode([cell.source]).own_names}
    for grade_id, path in spec.tests.items():
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            for name in sorted(_asked(file) & defined.keys() - StudentCode(answers).names):
                yield (
                    f"{file}: asks for {name}, which the given cell '{defined[name]}' defines. A student's cell can "
                    f"redefine it. Ask for what the student writes, or use a probe (grade cell '{grade_id}')"
                )


def _asked(path: Path) -> set[str]:
    """The names of a student's notebook that a file of hidden tests asks for."""
    asked = set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(ast.Attribute(ast.Name("student"), attr), [ast.Constant(str(first)), *rest]):
                texts = [first, *(arg.value for arg in rest if isinstance(arg, ast.Constant))]
                asked.add(str(texts[1]) if attr == "raises" and len(texts) > 1 else first)
            case ast.Attribute(ast.Name("nb"), attr):
                asked.add(attr)
    return asked


def one_cell(spec: NotebookSpec, grade_id: str) -> NotebookSpec:
    """The assignment up to one grade cell, with the hidden tests of this cell only."""
    end = [cell_name(cell) for cell in spec.skeleton.cells].index(grade_id) + 1

    def cut(notebook: NotebookNode) -> NotebookNode:
        return NotebookNode(notebook | {"cells": notebook.cells[:end]})

    return replace(
        spec,
        source=cut(spec.source),
        skeleton=cut(spec.skeleton),
        solved=cut(spec.solved),
        grade_cells=[cell for cell in spec.grade_cells if cell.grade_id == grade_id],
        tests={name: path for name, path in spec.tests.items() if name == grade_id},
        classic={name: source for name, source in spec.classic.items() if name == grade_id},
    )
