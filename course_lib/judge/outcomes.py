"""How a run of a notebook can end: the pipeline matches on these."""

from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from ..results.result import CellResult


@dataclass(frozen=True)
class Finished:
    """All cells and hidden tests have run."""

    notebook: NotebookNode
    """The notebook with the outputs of its cells."""
    cells: dict[str, CellResult]
    """The results by grade cell."""
    trainings: list[str]
    """Files of the instructor's training runs that this run made or reused."""
    warnings: list[str]
    """Warnings for the instructor about the source notebook."""


@dataclass(frozen=True)
class NeedsTraining:
    """The notebook is about to train a model that has not been trained yet. It is trained first, in its own kernel."""

    cells: list[NotebookNode]
    """The cells to run there, the training cell last."""
    enough: float | None
    """The accuracy at which training may end; None for full training."""
    path: Path
    """Where to store the training run."""


@dataclass(frozen=True)
class NeedsFullTraining:
    """A training run ended early, at the required accuracy, and its model then lost points."""


Outcome = Finished | NeedsTraining | NeedsFullTraining
