"""Grade cells that are judged by hidden tests. Unlike the rest of the pipeline, this needs torch."""

from collections.abc import Container

import torch

from ..assignment.spec import NotebookSpec
from ..authoring.pytest_plugin import collect_hidden_tests, run_hidden_tests
from ..results.result import CellResult
from .notebook_runner import NotebookRunner
from .task import GradingTask
from .tested_notebook import TestedNotebook


def judged_results_before_run(spec: NotebookSpec) -> dict[str, CellResult]:
    """A result for each judged cell, by id: as if no test had run."""
    return collect_hidden_tests([*spec.tests.values()])


def run_judged_cells(
    task: GradingTask, runner: NotebookRunner, probed: Container[str], accuracies: dict[str, float]
) -> dict[str, CellResult]:
    """Run the notebook and its hidden tests.

    Args:
        task: what to grade.
        runner: runs the notebook, up to the cell whose training run is missing.
        probed: the grade cells whose tests send probes; these tests run last.
        accuracies: gets the accuracy that each grade cell requires, before the first cell runs.

    Returns:
        The results by grade cell; incomplete if a training run is missing.
    """
    if task.limits.threads:
        torch.set_num_threads(task.limits.threads)  # workers share the cores
    tests = sorted(task.spec.tests, key=lambda grade_id: grade_id in probed)
    tested = TestedNotebook(task, runner, probed)
    cells = run_hidden_tests([task.spec.tests[grade_id] for grade_id in tests], tested.at, accuracies)
    runner.run_until(len(runner.notebook.cells))
    tested.explain(cells)
    return cells
