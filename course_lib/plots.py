"""The figures of the course: images with their labels, and training histories.

Each function shows its figure once and returns it, so that it can be saved or tested. Arguments are not changed.
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

from .grading_hooks import hooks
from .training import ConvergenceHistory

__all__ = ["plot_history", "plot_image", "plot_images"]

ALTERNATIVE_CAPTIONS = 100
"""Largest number of captions in the alternative text of a figure."""

HISTORY_CURVES = {"Accuracy": ["accuracy", "val_accuracy"], "Loss": ["loss", "val_loss"]}
"""Title of a figure -> names of its curves in a history."""


class ShownFigure(Figure):
    """A figure that is not displayed a second time as the value of the cell that showed it.

    Students' cells end with ``ooo.plot_images(...)``, and IPython displays the value of the last line. In a later cell,
    the figure is displayed as usual.
    """

    shown_in: int | None = None
    """Execution count of the cell that showed it."""

    def _ipython_display_(self) -> None:
        shell = get_ipython()
        if shell is None or shell.execution_count != self.shown_in:
            raise NotImplementedError  # tells IPython to display it like any other figure


class ShownFigures(list[Figure]):
    """A list that a cell does not print as its value: ``[<Figure ...>, <Figure ...>]`` would only be noise."""

    def _ipython_display_(self) -> None:
        pass


Draw = Callable[[Figure], None]
"""A function that draws into an empty figure."""


def show(
    draw: Draw,
    figsize: tuple[float, float],
    save_as: str | Path | None,
    name: str,
    arguments: Mapping[str, Any],
    alternative: str,
) -> Figure:
    """Draw a figure, save it if a file name is given, show it and return it.

    Args:
        draw: draws it.
        figsize: its size in inches.
        save_as: file name, or None.
        name: name of the figure. Together with ``arguments``, it determines what the figure looks like.
        arguments: the arguments of the function that makes the figure.
        alternative: its content in words and numbers, for readers of a feedback page who cannot see it.
    """
    if hooks.draw_picture is None:
        figure: ShownFigure = plt.figure(figsize=figsize, FigureClass=ShownFigure)
        draw(figure)
    else:
        figure, png = hooks.draw_picture(draw, figsize, name, arguments)
    if save_as is not None:
        figure.savefig(save_as, bbox_inches="tight")
    # this also shows the notebook's own pending figures, before this one; with agg, show() would only warn
    if plt.get_backend().lower() != "agg" and (hooks.draw_picture is None or plt.get_fignums()):
        plt.show()
    if hooks.draw_picture is not None:
        display(Image(png, alt=alternative))
    shell = get_ipython()
    figure.shown_in = None if shell is None else shell.execution_count
    return figure


def _as_array(values: Any) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
    return np.asarray(values)


def _scaled(images: np.ndarray, norm: Normalize | None) -> np.ndarray:
    """Scale grey images (N, h, w) to [0, 1]: by ``norm``, or each from its own minimum to its own maximum."""
    if norm is not None:
        return np.ma.filled(norm(images.ravel()), 0.0).reshape(images.shape)  # LogNorm takes at most two axes
    low = images.min(axis=(1, 2), keepdims=True)
    span = images.max(axis=(1, 2), keepdims=True) - low
    return np.asarray((images - low) / np.where(span == 0, 1, span))


def _colours(images: np.ndarray, norm: Normalize | None, cm: str) -> np.ndarray:
    """Convert images to RGBA, float32 (N, h, w, 4).

    Args:
        images: grey images (N, h, w) or (N, h, w, 1), or RGB images (N, h, w, 3) in [0, 1] or uint8.
        norm: colour scale of grey images, see :func:`_scaled`.
        cm: matplotlib colour map of grey images.
    """
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

    All images are drawn as one mosaic. Sixty images take a fraction of a second; as sixty subplots they would take
    seconds.

    Args:
        x: images, tensor or array of shape (N, h, w), (N, h, w, 1) or (N, h, w, 3).
        y: labels, shape (N,), or None.
        indices: indices of the images to show, by default all.
        columns: images per row.
        x_size: width of an image in inches.
        y_size: height of an image in inches.
        colorbar: whether to draw a colour bar beside each image.
        y_pred: predicted labels, shape (N,); a wrong one is shown in red as ``predicted (true)``.
        cm: matplotlib colour map of images with one channel.
        norm: colour scale of all images; by default each image has its own, from its minimum to its maximum.
        y_padding: height in inches of the space for the label below each image.
        spines_alpha: opacity of the frames, from 0 to 1.
        fontsize: size of the labels in points.
        interpolation: matplotlib interpolation of the images.
        save_as: file to save the figure to.

    Returns:
        The figure, ``min(n, columns) * x_size`` by ``ceil(n / columns) * (y_size + y_padding)`` inches large.
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
        # distances from one image to the next, in pixels; a colour bar needs more space
        step_x = w + round((0.45 if colorbar else 0.1) * w)
        step_y = h + max(1, round(h * y_padding / y_size))
        width, height = columns * step_x, rows * step_y
        mosaic = np.zeros((height, width, 4), np.float32)  # transparent between the images
        corners = [(place % columns * step_x, place // columns * step_y) for place in range(len(shown))]
        for (left, top), tile in zip(corners, _colours(images[shown], norm, cm), strict=True):
            mosaic[top : top + h, left : left + w] = tile
        # looks the same as with the default radius of 4 pixels, and takes half the time
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
        ax.set(xlim=(-1, width), ylim=(height, -1))  # one more pixel for the frames
        ax.axis("off")

    figsize = (columns * x_size, rows * (y_size + y_padding))
    words = [
        f"{len(shown)} image{'s' * (len(shown) != 1)}",
        ", ".join(text for text, _ in captions[:ALTERNATIVE_CAPTIONS] if text),
    ]
    return show(draw, figsize, save_as, "plot_images", arguments, ": ".join(filter(None, words)))


def _caption(labels: np.ndarray | None, predictions: np.ndarray | None, i: int) -> tuple[str, bool]:
    """The caption of image ``i``, and whether its prediction is wrong."""
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
    """Show one image, a tensor or array of shape (h, w), (h, w, 1) or (h, w, 3).

    The other arguments are those of :func:`plot_images`; ``figsize`` is the size of the figure in inches.
    """
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
        plot: title of each figure -> names of its curves in ``history.history``.
        save_as: file to save to. If there are several figures, their titles are added to its name.

    Returns:
        The figures, in the order of ``plot``.
    """
    arguments = dict(locals())

    def draw(title: str, figure: Figure) -> None:
        ax = figure.add_subplot()
        styles = itertools.cycle(("-", "--", ":", "-."))  # so that curves also differ without colours
        for name, style in zip(plot[title], styles, strict=False):
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
    """Describe a curve in words: its first and last value."""
    values = list(curve)
    ends = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in values[:1] + values[-1:]]
    return f"{name} {' … '.join(ends)}"
