"""What the run of the source notebook provides for the class: its training runs, its pictures, and warnings."""

import base64
from pathlib import Path

from nbformat import NotebookNode

from ..assignment.cells import is_read_only
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
    made: list[str] = []
    warnings = overwritten_files(runner, task.files)
    if task.spec.uses_course_lib:
        made, broken_promises = keep_trainings(runner.fetch_report("trainings"), task.trainings)
        warnings += broken_promises
        keep_figures(runner.fetch_report("figures"), given_pictures(notebook), figures_folder())
    return made, warnings


def overwritten_files(runner: NotebookRunner, beside: Path | None) -> list[str]:
    """Warn if the source notebook overwrites files in its own folder, because students get those files."""
    if beside is None or runner.kernel is None:
        return []
    copied = {path.relative_to(beside): path.stat().st_mtime for path in beside.rglob("*") if path.is_file()}
    found = [path for path, copy in copied.items() if _changed(runner.kernel.work / path) > copy]
    if not found:
        return []
    return [
        f"The source notebook writes {', '.join(sorted(map(str, found)))}. The source folder also has these files, "
        "so students and hidden tests get the old copies. Delete them from the source folder."
    ]


def _changed(path: Path) -> float:
    """When a file was last changed; 0 if it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def given_pictures(notebook: NotebookNode) -> set[bytes]:
    """The pictures below given cells. Those of the instructor's answers must not reach students' kernels."""
    outputs = [output for cell in notebook.cells if is_read_only(cell) for output in cell.get("outputs", [])]
    return {base64.b64decode(output.data["image/png"]) for output in outputs if "image/png" in output.get("data", {})}
