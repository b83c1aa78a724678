"""Draft hidden tests for the classic grade cells of an assignment, so that no student's code can forge their verdicts.

    course harden ps1

Run this in the course folder. For each grade cell without a file in grader_tests/, it turns the cell's asserts into a
file of hidden tests. A draft is kept only if the source notebook passes it and the released notebook does not. The
other cells stay as they are, tested by their own code. Read the drafts: a hidden test can also say why an answer is
wrong.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..assignment.harden import CannotDraft, draft
from ..assignment.spec import NotebookSpec
from ..execution.assignment_check import one_cell, open_trials
from ..results.errors import AssignmentError, GraderError
from ..results.result import NotebookResult
from .open_course import Course, course_or_exit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``course harden``."""
    parser.add_argument("assignment", help="its name, such as ps1")


def run(arguments: argparse.Namespace) -> None:
    """Draft the tests, and print what was done for each cell."""
    course = course_or_exit("harden")
    try:
        for line in harden(course, arguments.assignment):
            print(line, flush=True)
    except (AssignmentError, GraderError, OSError) as error:
        sys.exit(f"✗ {error}")


def harden(course: Course, name: str) -> Iterator[str]:
    """Write the drafts that work; yield a line for each classic cell.

    Args:
        course: the course folder and its settings.
        name: of the assignment.

    Raises:
        AssignmentError or GraderError: if the assignment cannot be graded at all.
    """
    folders, settings, specs = course.open_assignment(name)
    settings.configured_workers = 1
    if not any(spec.classic for spec in specs):
        yield f"Every grade cell of {name} has hidden tests already."
        return
    folders.hidden_tests.mkdir(parents=True, exist_ok=True)
    for spec in specs:
        for grade_id in spec.classic:
            path = folders.hidden_tests / f"{grade_id}.py"
            try:
                path.write_text(draft(spec, grade_id), encoding="utf-8")
            except CannotDraft as error:
                yield f"  {spec.name}: {grade_id}: stays classic, because {error}"
                continue
            problem = "it stopped"
            try:
                drafted = one_cell(with_tests(spec, grade_id, path), grade_id)
                with open_trials(folders, settings, [drafted]) as [trial]:
                    notebooks = {"source": drafted.solved, "release": drafted.skeleton}
                    problem = what_is_wrong(dict(trial.grade(notebooks)))
            except (AssignmentError, GraderError) as error:
                problem = str(error).splitlines()[-1]
            finally:
                if problem:
                    path.unlink()
            yield (
                f"  {spec.name}: {grade_id}: stays classic, because {problem}"
                if problem
                else f"✓ {spec.name}: {grade_id}: {path.relative_to(Path.cwd())}"
            )


def with_tests(spec: NotebookSpec, grade_id: str, path: Path) -> NotebookSpec:
    """The notebook with a file of hidden tests for one of its classic cells."""
    classic = {name: source for name, source in spec.classic.items() if name != grade_id}
    return replace(spec, tests=spec.tests | {grade_id: path}, classic=classic)


def what_is_wrong(results: dict[str, NotebookResult]) -> str:
    """Why a draft cannot be kept; empty if it can."""
    if lost := [line for cell in results["source"].cells for line in cell.lost]:
        return f"the draft fails on the source notebook ({lost[0]})"
    if results["release"].score:
        return "the draft passes on the notebook as students get it"
    return ""
