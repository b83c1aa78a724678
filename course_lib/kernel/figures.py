"""Reuse the pictures of figures that the instructor's notebook has already drawn.

Most figures of a class are the same: the assignment's own cells draw them, from the same data and the same finished
training runs. A picture is stored under a hash of everything that it depends on: the function and its arguments,
matplotlib's settings and version, and the code that draws. Only pictures from the instructor's notebook are stored for
others.
"""

import contextlib
import hashlib
import inspect
from collections.abc import Mapping
from typing import Any

import matplotlib
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.pylabtools import print_figure, select_figure_formats
from matplotlib import pyplot as plt

from .. import confusion, plots
from ..files import cache_folder
from ..grading_hooks import hooks
from ..training import ConvergenceHistory
from . import FIGURES
from .fingerprint import fingerprint
from .wire import Packet

drawn: dict[str, bytes] = {}
"""The pictures drawn in this kernel, by their hash."""


def activate(shell: InteractiveShell) -> None:
    """Make course_lib look for finished pictures, and ``shell`` show figures that were not made by pyplot."""
    hooks.draw_picture = picture
    select_figure_formats(shell, {"png"}, bbox_inches="tight")


def _described(value: Any) -> str:
    if isinstance(value, ConvergenceHistory):
        return repr(value.history)
    return fingerprint(value)


class LazyFigure(plots.ShownFigure):
    """A figure that is drawn when one of its attributes is first used.

    If its picture is known, most notebooks never use the figure itself, and drawing would take 5 to 30 ms.
    """

    def __init__(self, draw: plots.Draw, figsize: tuple[float, float]) -> None:
        self._to_draw = draw, figsize  # Figure.__init__ runs later, so any attribute access triggers __getattr__

    def __getattr__(self, name: str) -> Any:
        """Called for a missing attribute: draw the figure, unless IPython is only looking for a way to display it."""
        if "_to_draw" not in vars(self) or name.startswith("_ipython_"):
            raise AttributeError(name)
        draw, figsize = vars(self).pop("_to_draw")
        super().__init__(figsize=figsize)
        draw(self)
        return getattr(self, name)


def picture(
    draw: plots.Draw, figsize: tuple[float, float], name: str, arguments: Mapping[str, Any]
) -> tuple[plots.ShownFigure, bytes]:
    """Return a figure and its PNG, from the cache if it is there.

    Args:
        draw: draws the figure.
        figsize: its size in inches.
        name: distinguishes it from other figures with the same arguments.
        arguments: everything that it is made from.
    """
    figure = LazyFigure(draw, figsize)
    try:
        parts = [matplotlib.__version__, *map(inspect.getsource, (plots, confusion)), name]
        parts += [f"{key}={_described(value)}" for key, value in arguments.items()]
        parts += [repr(sorted(plt.rcParams.items()))]
    except Exception:  # an argument has no fingerprint, such as a colour scale or an object of a student's class
        return figure, print_figure(figure, bbox_inches="tight")
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    with contextlib.suppress(OSError):  # not there, or just deleted by another command that uses the cache
        return figure, (cache_folder() / FIGURES / f"{key}.png").read_bytes()
    drawn[key] = print_figure(figure, bbox_inches="tight")  # as Jupyter draws it
    return figure, drawn[key]


def report() -> Packet:
    """The pictures drawn in this kernel: their hashes in ``figures``, their bytes in the tensors ``figure<i>``."""
    packet = Packet({"figures": list(drawn)})
    for i, png in enumerate(drawn.values()):
        packet.tensors[f"figure{i}"] = torch.frombuffer(bytearray(png), dtype=torch.uint8)
    return packet
