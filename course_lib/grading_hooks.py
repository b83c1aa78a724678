"""The hooks through which grading plugs into this library.

In a student's own notebook, every hook is None, and the library does all the work itself. While a notebook is graded,
the kernel (``course_lib.kernel``, which students do not get) sets the hooks in :data:`hooks` to save time: many
students train the same models and draw the same figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    import torch
    from matplotlib.figure import Figure
    from torch import nn

    from .plots import ShownFigure
    from .torchvision_compat import datasets
    from .training import ConvergenceHistory, TrainingRun

__all__ = ["GradingHooks", "hooks"]


@dataclass
class GradingHooks:
    """Functions and data that the kernel provides while it grades; each is None otherwise."""

    recall_training: Callable[[TrainingRun], ConvergenceHistory | float | None] | None = None
    """Called with a training run that is about to begin. If a finished run of a model with the same behaviour is known,
    it loads the trained weights into the model and returns the history. Otherwise it may return an accuracy on the test
    set; training ends as soon as the model reaches it. None means: train as usual."""

    recall_evaluation: Callable[[nn.Module, torch.Tensor, torch.Tensor], tuple[float, float] | None] | None = None
    """Called with a model, inputs and labels. Returns loss and accuracy if they are known from a recalled training run,
    otherwise None."""

    keep_training: Callable[[TrainingRun, ConvergenceHistory, bool], None] | None = None
    """Called with every training run that has ended, its history, and whether it stopped early because it had reached
    the accuracy from ``recall_training``."""

    draw_picture: DrawPicture | None = None
    """Returns a figure of this library and its picture, drawn now or earlier."""

    loaded_datasets: tuple[datasets.MNIST, datasets.MNIST] | None = None
    """MNIST's training set and test set, already in memory. The first call of ``load_mnist`` takes them."""


class DrawPicture(Protocol):
    """The type of :attr:`GradingHooks.draw_picture`."""

    def __call__(
        self, draw: Callable[[Figure], None], figsize: tuple[float, float], name: str, arguments: Mapping[str, Any]
    ) -> tuple[ShownFigure, bytes]:
        """Return a figure and its PNG; the arguments are those of :func:`course_lib.plots.show`."""


hooks = GradingHooks()
"""The hooks of this process."""
