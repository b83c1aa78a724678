"""What the run of the source notebook provides for the class: its training runs, its pictures, and warnings."""

import base64
import contextlib
from pathlib import Path

from nbformat import NotebookNode

from ..assignment.cells import is_given
from ..authoring import common_probes
from ..authoring.failures import StudentFailure
from ..authoring.notebook import StudentNotebook
from .notebook_runner import NotebookRunner
from .task import GradingTask, figures_folder
from .training_cache import keep_figures, keep_trainings


def keep_source_results(
    task: GradingTask, notebook: NotebookNode, runner: NotebookRunner
) -> tuple[list[str], list[str]]:
    """Store the training runs and the pictures of given cells, after all cells and hidden tests have run.

    Returns:
        The names of the files of training runs, and warnings for the instructor.
    """
    made, warnings = keep_trainings(runner.report("trainings"), task.trainings)
    keep_figures(runner.report("figures"), given_pictures(notebook), figures_folder())
    return made, [*warnings, *overwritten_files(runner, task.files)]


def overwritten_files(runner: NotebookRunner, beside: Path | None) -> list[str]:
    """Warn if the source notebook overwrites files in its own folder, because students get those files."""
    if beside is None:
        return []
    with contextlib.suppress(StudentFailure):
        times = StudentNotebook(runner.ask).run(common_probes.files_here)
        copied = {str(path.relative_to(beside)): path.stat().st_mtime for path in beside.rglob("*")}
        found = sorted(path for path, changed in times.items() if path in copied and changed > copied[path])
        if found:
            return [
                f"The source notebook writes {', '.join(found)}. Copies are also in the source folder, so students and "
                "hidden tests get them. Delete them there."
            ]
    return []


def given_pictures(notebook: NotebookNode) -> set[bytes]:
    """The pictures below given cells. Those of the instructor's answers must not reach students' kernels."""
    outputs = [output for cell in notebook.cells if is_given(cell) for output in cell.get("outputs", [])]
    return {base64.b64decode(output.data["image/png"]) for output in outputs if "image/png" in output.get("data", {})}
