"""Show a figure that the instructor's notebook has drawn already, instead of drawing it again.

Most figures of a class are the same: the course's own cells draw them, from the same data and the same finished
trainings. A picture is kept under a hash of all that it depends on: the function and its arguments, matplotlib's
settings and version, the code that draws. Only the instructor's own notebook leaves pictures for others.
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
from ..training import ConvergenceHistory
from . import FIGURES
from .fingerprint import fingerprint
from .wire import Packet

__all__ = ["activate", "report"]

_drawn: dict[str, bytes] = {}
"""The pictures that were drawn in this kernel."""


def activate(shell: InteractiveShell) -> None:
    """Make the figures of course_lib look for finished pictures, and ``shell`` show figures not made by pyplot."""
    plots.picture = picture
    select_figure_formats(shell, {"png"}, bbox_inches="tight")


def _described(value: Any) -> str:
    if isinstance(value, ConvergenceHistory):
        return repr(value.history)
    return fingerprint(value)


class FigureToDraw(plots.ShownFigure):
    """A figure whose picture is known: it is drawn once something else is asked of it."""

    def __init__(self, draw: plots.Draw, figsize: tuple[float, float]) -> None:
        self.__dict__["to_draw"] = draw, figsize

    def __getattribute__(self, name: str) -> Any:
        """Any attribute; those that IPython looks at to display it say nothing of the drawing."""
        own = object.__getattribute__(self, "__dict__")
        if "to_draw" in own and name not in ("__class__", "__dict__", "shown_in") and not name.startswith("_ipython_"):
            draw, figsize = own.pop("to_draw")
            super().__init__(figsize=figsize)
            draw(self)
        return super().__getattribute__(name)


def picture(
    draw: plots.Draw, figsize: tuple[float, float], name: str, arguments: Mapping[str, Any]
) -> tuple[plots.ShownFigure, bytes]:
    """A figure and its PNG.

    Args:
        draw: draws it, when no picture of it is known.
        figsize: its size in inches.
        name: what tells it from others with the same arguments.
        arguments: what it is made from.
    """
    figure = FigureToDraw(draw, figsize)
    try:
        parts = [matplotlib.__version__, *map(inspect.getsource, (plots, confusion)), name]
        parts += [f"{key}={_described(value)}" for key, value in arguments.items()]
        parts += [repr(sorted(plt.rcParams.items()))]
    except Exception:  # nobody can tell what it is made from: a colour scale, say, or a student's own class
        return figure, print_figure(figure, bbox_inches="tight")
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    with contextlib.suppress(OSError):  # not known, or removed at this moment by a command that shares the cache
        return figure, (cache_folder() / FIGURES / f"{key}.png").read_bytes()
    _drawn[key] = print_figure(figure, bbox_inches="tight")  # as the notebook does
    return figure, _drawn[key]


def report() -> Packet:
    """The pictures drawn here: ``figures``, their keys, and tensors ``figure<i>`` of bytes."""
    packet = Packet({"figures": list(_drawn)})
    for i, png in enumerate(_drawn.values()):
        packet.tensors[f"figure{i}"] = torch.frombuffer(bytearray(png), dtype=torch.uint8)
    return packet
