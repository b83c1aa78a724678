"""The course's figures: images with their labels, and training histories.

Each function shows its figure once and returns it, so that it can be tested or saved. They read their arguments only.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.core.getipython import get_ipython
from IPython.display import Image, display
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .training import ConvergenceHistory

__all__ = ["plot_history", "plot_image", "plot_images"]

ALTERNATIVE_CAPTIONS = 100
"""Captions of images in a figure's alternative text."""

HISTORY_CURVES = {"Accuracy": ["accuracy", "val_accuracy"], "Loss": ["loss", "val_loss"]}


class ShownFigure(Figure):
    """A figure that a notebook does not draw a second time when it is the value of the cell that has shown it."""

    shown_in: int | None = None
    """Number of the cell."""

    def _ipython_display_(self) -> None:
        shell = get_ipython()
        if shell is None or shell.execution_count != self.shown_in:
            raise NotImplementedError  # IPython then draws it as any other figure


class ShownFigures(list[Figure]):
    """Figures that a notebook does not list below them when they are the value of the cell that has shown them."""

    def _ipython_display_(self) -> None:
        pass


Draw = Callable[[Figure], None]
"""Draws a figure, given an empty one."""

picture: Callable[[Draw, tuple[float, float], str, Mapping[str, Any]], tuple[ShownFigure, bytes]] | None = None
"""Set by the grading kernel: gives a figure and its PNG, drawn now or before, from what :func:`show` is told."""


def show(
    draw: Draw,
    figsize: tuple[float, float],
    save_as: str | Path | None,
    name: str,
    arguments: Mapping[str, Any],
    alternative: str,
) -> Figure:
    """Draw a figure, save it when a file name is given, show it and return it.

    Args:
        draw: draws it.
        figsize: its size in inches.
        save_as: file name, or None.
        name: with ``arguments``, what decides how it looks.
        arguments: of the function that was called for it.
        alternative: what it shows, in words and numbers, for those who cannot see it: on the pages of feedback.
    """
    if picture is None:
        figure: ShownFigure = plt.figure(figsize=figsize, FigureClass=ShownFigure)
        draw(figure)
    else:
        figure, png = picture(draw, figsize, name, arguments)
    if save_as is not None:
        figure.savefig(save_as, bbox_inches="tight")
    # agg has no window: show() would only warn; the notebook's own figures that wait are shown first
    if plt.get_backend().lower() != "agg" and (picture is None or plt.get_fignums()):
        plt.show()
    if picture is not None:
        display(Image(png, alt=alternative))
    shell = get_ipython()
    figure.shown_in = None if shell is None else shell.execution_count
    return figure


def _as_array(values: Any) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
    return np.asarray(values)


def _scaled(images: np.ndarray, norm: Normalize | None) -> np.ndarray:
    """Gray images, (N, h, w), brought to [0, 1]: by ``norm``, else each from its minimum to its maximum."""
    if norm is not None:
        return np.ma.filled(norm(images.ravel()), 0.0).reshape(images.shape)  # a LogNorm takes no more axes than two
    low = images.min(axis=(1, 2), keepdims=True)
    span = images.max(axis=(1, 2), keepdims=True) - low
    return np.asarray((images - low) / np.where(span == 0, 1, span))


def _colours(images: np.ndarray, norm: Normalize | None, cm: str) -> np.ndarray:
    """RGBA float32 (N, h, w, 4) of images (N, h, w), (N, h, w, 1) or (N, h, w, 3), the last in 0..1 or uint8."""
    if images.ndim == 4 and images.shape[3] == 3:
        rgb = images / 255 if images.dtype == np.uint8 else images
        return np.concatenate([rgb, np.ones((*rgb.shape[:3], 1))], axis=3).astype(np.float32)
    gray = images.reshape(images.shape[:3]).astype(np.float32)
    return np.asarray(plt.get_cmap(cm)(_scaled(gray, norm)), np.float32)


def plot_images(
    x: Any,
    y: Any = None,
    indices: Literal["all"] | Iterable[int] = "all",
    columns: int = 12,
    x_size: float = 1,
    y_size: float = 1,
    colorbar: bool = False,
    y_pred: Any = None,
    cm: str = "binary",
    norm: Normalize | None = None,
    y_padding: float = 0.35,
    spines_alpha: float = 1,
    fontsize: int = 20,
    interpolation: str = "lanczos",
    save_as: str | Path | None = None,
) -> Figure:
    """Show images in rows of ``columns``, with their labels below.

    They are drawn as one mosaic: sixty images take a fraction of a second, where sixty subplots take seconds.

    Args:
        x: images, tensor or array of shape (N, h, w), (N, h, w, 1) or (N, h, w, 3).
        y: labels, shape (N,), or None.
        indices: which images to show, ``"all"`` by default.
        columns: images in a row.
        x_size: width of an image in inches.
        y_size: height of an image in inches.
        colorbar: whether to put a colour bar beside each image.
        y_pred: predicted labels, shape (N,); a wrong one reads ``predicted (true)`` in red.
        cm: matplotlib colour map of images with one channel.
        norm: colour scale shared by all images; by default each has its own, from its minimum to its maximum.
        y_padding: height in inches kept for the label below each image.
        spines_alpha: opacity of the frames, 0 to 1.
        fontsize: size of the labels in points.
        interpolation: matplotlib interpolation of the images.
        save_as: file to save the figure to.

    Returns:
        The figure, of ``min(n, columns) * x_size`` by ``ceil(n / columns) * (y_size + y_padding)`` inches.
    """
    arguments = dict(locals())
    images = _as_array(x)
    labels = None if y is None else _as_array(y)
    predictions = None if y_pred is None else _as_array(y_pred)
    shown = list(range(len(images))) if isinstance(indices, str) else [int(i) for i in indices]
    captions = [_caption(labels, predictions, i) for i in shown]
    rows = max(1, -(-len(shown) // columns))
    columns = min(columns, max(1, len(shown)))

    def draw(figure: Figure) -> None:
        ax = figure.add_axes((0, 0, 1, 1))
        h, w = images.shape[1:3]
        # in pixels of the images: from one to the next, wider for a colour bar
        step_x = w + round((0.45 if colorbar else 0.1) * w)
        step_y = h + max(1, round(h * y_padding / y_size))
        width, height = columns * step_x, rows * step_y
        mosaic = np.zeros((height, width, 4), np.float32)  # transparent between the images
        corners = [(place % columns * step_x, place // columns * step_y) for place in range(len(shown))]
        for (left, top), tile in zip(corners, _colours(images[shown], norm, cm), strict=True):
            mosaic[top : top + h, left : left + w] = tile
        # a filter radius of 2 pixels halves the time of the default, 4, for the same look
        ax.imshow(mosaic, interpolation=interpolation, filterrad=2, extent=(0, width, height, 0), aspect="auto")
        ax.add_collection(
            PatchCollection(
                [Rectangle(corner, w, h) for corner in corners],
                facecolor="none",
                edgecolor=plt.rcParams["axes.edgecolor"],
                linewidth=0.6,
                alpha=spines_alpha,
            )
        )
        for (left, top), (text, wrong), i in zip(corners, captions, shown, strict=True):
            if text:
                color, size = ("red", fontsize * 0.75) if wrong else (plt.rcParams["text.color"], fontsize)
                ax.text(left + w / 2, top + h, text, ha="center", va="top", color=color, fontsize=size)
            if colorbar:
                scale = norm or Normalize(images[i].min(), images[i].max())
                x0, y0 = (left + 1 + 1.04 * w) / (width + 1), 1 - (top + 1 + h) / (height + 1)
                box = (x0, y0, 0.06 * w / (width + 1), h / (height + 1))
                figure.colorbar(ScalarMappable(scale, cm), cax=figure.add_axes(box))
        ax.set(xlim=(-1, width), ylim=(height, -1))  # one pixel more, for the frames
        ax.axis("off")

    figsize = (columns * x_size, rows * (y_size + y_padding))
    words = [
        f"{len(shown)} image{'s' * (len(shown) != 1)}",
        ", ".join(text for text, _ in captions[:ALTERNATIVE_CAPTIONS] if text),
    ]
    return show(draw, figsize, save_as, "plot_images", arguments, ": ".join(filter(None, words)))


def _caption(labels: np.ndarray | None, predictions: np.ndarray | None, i: int) -> tuple[str, bool]:
    """What stands under image ``i``, and whether its prediction is wrong."""
    truth = None if labels is None else labels[i]
    guess = truth if predictions is None else predictions[i]
    wrong = truth is not None and guess != truth
    return (f"{guess} ({truth})" if wrong else "" if guess is None else str(guess)), bool(wrong)


def plot_image(
    x: Any,
    cm: str = "binary",
    figsize: tuple[float, float] = (4, 4),
    interpolation: str = "lanczos",
    save_as: str | Path | None = None,
) -> Figure:
    """Show one image, tensor or array of shape (h, w), (h, w, 1) or (h, w, 3); arguments as in :func:`plot_images`."""
    arguments = dict(locals())

    def draw(figure: Figure) -> None:
        ax = figure.add_axes((0, 0, 1, 1))
        ax.imshow(_colours(_as_array(x)[None], None, cm)[0], interpolation=interpolation)
        ax.axis("off")

    return show(draw, figsize, save_as, "plot_image", arguments, "1 image")


def plot_history(
    history: ConvergenceHistory,
    figsize: tuple[float, float] = (8, 6),
    plot: Mapping[str, Sequence[str]] = HISTORY_CURVES,
    save_as: str | Path | None = None,
) -> list[Figure]:
    """Draw a training history, one figure per title.

    Args:
        history: any object with a dictionary ``history`` of equally long lists of floats.
        figsize: size of each figure in inches.
        plot: for each title, the names in ``history.history`` to draw.
        save_as: file to save to; with several figures, each one's title is added to the name.

    Returns:
        The figures, in the order of ``plot``.
    """
    arguments = dict(locals())

    def draw(title: str, figure: Figure) -> None:
        ax = figure.add_subplot()
        for name, style in zip(plot[title], itertools.cycle(("-", "--", ":", "-."))):  # told apart in grey as well
            ax.plot(history.history[name], style, label=name)
        ax.set(title=title, ylabel=title, xlabel="Epoch")
        ax.legend()

    figures = ShownFigures()
    for title in plot:
        target = None if save_as is None else Path(save_as)
        if target is not None and len(plot) > 1:
            target = target.with_name(f"{target.stem}-{title.lower()}{target.suffix or '.png'}")
        alternative = f"{title}: " + ", ".join(_ends(name, history.history[name]) for name in plot[title])
        figures.append(show(partial(draw, title), figsize, target, f"plot_history {title}", arguments, alternative))
    return figures


def _ends(name: str, curve: Sequence[Any]) -> str:
    """A curve in words: its first and last value."""
    values = list(curve)
    ends = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in values[:1] + values[-1:]]
    return f"{name} {' … '.join(ends)}"
