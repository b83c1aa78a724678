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
from IPython.core.pylabtools import print_figure
from matplotlib import pyplot as plt

from .. import confusion, plots
from ..mnist import cache_folder
from ..training import ConvergenceHistory
from . import FIGURES
from .finished import fingerprint
from .wire import Packet

__all__ = ["activate", "report"]

_drawn: dict[str, bytes] = {}
"""The pictures that were drawn in this kernel."""


def activate() -> None:
    """Make the figures of course_lib look for finished pictures."""
    plots.picture = picture


def _described(value: Any) -> str:
    if isinstance(value, ConvergenceHistory):
        return repr(value.history)
    return fingerprint(value)


def picture(figure: plots.ShownFigure, name: str, arguments: Mapping[str, Any]) -> bytes:
    """The PNG of a figure.

    Args:
        figure: drawn when no picture of it is known.
        name: what tells it from others with the same arguments.
        arguments: what it was made from.
    """
    parts = [matplotlib.__version__, *map(inspect.getsource, (plots, confusion)), name, repr(figure.get_size_inches())]
    parts += [f"{key}={_described(value)}" for key, value in arguments.items()]
    parts += [repr(sorted(plt.rcParams.items()))]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    with contextlib.suppress(OSError):  # not known, or removed at this moment by a command that shares the cache
        return (cache_folder() / FIGURES / f"{key}.png").read_bytes()
    _drawn[key] = print_figure(figure, bbox_inches="tight")  # as the notebook does
    return _drawn[key]


def report() -> Packet:
    """The pictures drawn here: ``figures``, their keys, and tensors ``figure<i>`` of bytes."""
    packet = Packet({"figures": list(_drawn)})
    for i, png in enumerate(_drawn.values()):
        packet.tensors[f"figure{i}"] = torch.frombuffer(bytearray(png), dtype=torch.uint8)
    return packet
