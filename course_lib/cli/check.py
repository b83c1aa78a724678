"""Try an assignment without students: its source, its release, its hidden tests, right and wrong answers.

    course check exercise2                            everything
    course check exercise2 --cell test_mse            the hidden tests of one cell, on the source and on answers
    course check exercise2 --answers elsewhere        answers from another folder

Run this in the course folder. It touches neither the gradebook nor a release. An answer is a file
answers/<assignment>/<solution cell>/<right or wrong>/NAME.py; in a wrong one, the line '# fails: test_a, test_b' names
the hidden tests that it must fail.
"""

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat

from ..assignment.answers import Answer, read_answers
from ..assignment.loader import check_points
from ..assignment.spec import NotebookSpec
from ..execution.assignment_check import (
    Trial,
    flaky_tests,
    one_cell,
    open_trials,
    redefinable_names,
    vacuous_tests,
    wrong_marks,
)
from ..execution.result_cache import ResultCache
from ..execution.run_settings import RunSettings
from ..execution.source_check import SourceCheck
from ..results.errors import AssignmentError, GraderError
from ..results.result import printable
from ..results.result_html import format_points
from .open_course import Course, course_or_exit

SIGNS = {True: "✓", False: "✗", None: "   "}
"""The sign before a line: it is right, it is a problem, or it belongs to the line above."""

Line = tuple[str, bool | None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``course check``."""
    parser.add_argument("assignment", help="its name, such as exercise2")
    parser.add_argument(
        "--answers", type=Path, metavar="FOLDER", help="right and wrong answers, instead of answers/<assignment>"
    )
    parser.add_argument("--cell", metavar="NAME", help="run the hidden tests of this grade cell only")


def run(arguments: argparse.Namespace) -> None:
    """Print what is wrong. The exit status is 1 if anything is."""
    course = course_or_exit("check")
    problems = 0
    try:
        for line, is_right in check(course, arguments.assignment, arguments.cell, arguments.answers):
            print(f"{SIGNS[is_right]} {line}", flush=True)
            problems += is_right is False
    except (AssignmentError, GraderError, OSError) as error:
        sys.exit(f"✗ {error}")
    sys.exit(bool(problems))


def check(course: Course, name: str, cell: str | None, answers: Path | None) -> Iterator[Line]:
    """Every finding as a line: see :data:`SIGNS`.

    Args:
        course: the course folder and its settings.
        name: the name of the assignment.
        cell: the only grade cell to try; None for all.
        answers: the folder of right and wrong answers.

    Raises:
        AssignmentError or GraderError: if the assignment cannot be graded at all.
    """
    folders, settings, specs = course.open_assignment(name)
    given = _answers(answers, folders.course, specs)
    if cell is not None:
        specs = [one_cell(_with_cell(specs, cell), cell)]
        settings.configured_workers = 1
    cells = [found for spec in specs for found in spec.grade_cells]
    points = format_points(sum(found.points for found in cells))
    yield (
        f"{len(cells)} grade cell{'s' * (len(cells) != 1)}, {points} points",
        True,
    )
    with open_trials(folders, settings, specs) as trials:
        for trial in trials:
            yield from _source(trial, folders.results, settings, cell)
            if cell is None:
                yield from _all(trial)
            solutions = {grade_cell.solution for grade_cell in trial.spec.automatic}
            yield from _marks(trial, [answer for answer in given if answer.cell in solutions])


def _answers(folder: Path | None, course: Path, specs: Sequence[NotebookSpec]) -> list[Answer]:
    """The author's answers to the assignment: from ``folder``, or from the course's folder of answers."""
    name = specs[0].assignment
    if folder is None:
        usual = course / "answers" / name
        return read_answers(usual, specs) if usual.is_dir() else []
    return read_answers(folder / name if (folder / name).is_dir() else folder, specs)


def _with_cell(specs: list[NotebookSpec], cell: str) -> NotebookSpec:
    known = {found.grade_id: spec for spec in specs for found in spec.automatic}
    if cell not in known:
        raise AssignmentError(f"no grade cell '{cell}' is graded automatically; these are: {', '.join(known)}")
    return known[cell]


def _source(trial: Trial, results: Path, settings: RunSettings, cell: str | None) -> Iterator[Line]:
    """Grade the source notebook."""
    if cell is not None:
        [(_, result)] = trial.grade({"source": trial.spec.solved})
        check_points(trial.spec, result.cells)
        for test in result.cells[0].tests:
            yield f"{test.name}: {printable(str(test.rationale))}", test.score == test.points
            yield from ((printable(text), None) for text in (test.hint, test.note) if text)
        return
    log = _Log()
    source = SourceCheck(settings, trial.pool, ResultCache(results), lambda key, graded: None, log)
    source.check(trial.new_task(trial.spec, nbformat.writes(trial.spec.solved).encode()))
    yield f"{trial.spec.name}: the source notebook earns every point", True
    yield from ((warning, False) for warning in log.warnings)


class _Log(logging.Logger):
    """Collects warnings."""

    def __init__(self) -> None:
        super().__init__("check", logging.WARNING)
        self.warnings: list[str] = []

    def handle(self, record: logging.LogRecord) -> None:
        """Keep one warning."""
        self.warnings.append(record.getMessage())


def _all(trial: Trial) -> Iterator[Line]:
    """Check the release, other seeds, and the given cells."""
    checks = {
        "no hidden test passes on the notebook as students get it": vacuous_tests(trial),
        "three runs with different seeds agree": flaky_tests(trial),
        "no hidden test asks for a name that a given cell defines": redefinable_names(trial.spec),
    }
    for right, problems in checks.items():
        found = [*problems]
        yield from ((problem, False) for problem in found)
        if not found:
            yield f"{trial.spec.name}: {right}", True


def _marks(trial: Trial, answers: Sequence[Answer]) -> Iterator[Line]:
    """Grade right and wrong answers."""
    for answer, lost, problem in wrong_marks(trial, answers):
        place = f"{answer.cell}/{answer.path.parent.name}/{answer.path.name}"
        yield f"{place}: {problem}" if problem else place, not problem
        for test in lost:
            yield f"    {test.name}: {printable(test.hint)}", None
