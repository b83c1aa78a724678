"""Confusion matrices, as a table of counts and as a picture."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from IPython.display import Markdown, display
from matplotlib.figure import Figure

from .messages import say
from .plots import _as_array, show

__all__ = ["confusion_matrix", "display_confusion_matrix", "plot_confusion_matrix"]


def _labels(y_true: Any, y_pred: Any) -> np.ndarray:
    """The sorted labels that occur."""
    return np.unique(np.concatenate([_as_array(y_true).reshape(-1), _as_array(y_pred).reshape(-1)]))


def confusion_matrix(y_true: Any, y_pred: Any, labels: Sequence[int] | None = None) -> np.ndarray:
    """Count how often each true label was predicted as each label.

    Args:
        y_true: true labels, shape (N,).
        y_pred: predicted labels, shape (N,).
        labels: the labels of rows and columns; by default all that occur. Pairs with another label are not counted.

    Returns:
        int64 array of shape (L, L); rows are true labels, columns are predicted labels.
    """
    truth, predicted = _as_array(y_true).reshape(-1), _as_array(y_pred).reshape(-1)
    names = _labels(truth, predicted) if labels is None else np.asarray(list(labels))
    counts = [np.sum((truth == t) & (predicted == p)) for t in names for p in names]
    return np.array(counts, dtype=np.int64).reshape(len(names), len(names))


def display_confusion_matrix(
    y_true: Any,
    y_pred: Any,
    labels: Sequence[int] | None = None,
    color: str = "green",
    font_size: str = "12pt",
    title: str = "#### Confusion matrix is :",
) -> None:
    """Display a title and a table of counts: rows are true labels, columns are predicted labels.

    The table is also there as plain text, for readers without HTML.

    Args:
        y_true: true labels, shape (N,).
        y_pred: predicted labels, shape (N,).
        labels: the labels of rows and columns; by default all that occur.
        color: CSS colour of the shading: the larger a cell's share of its row, the darker.
        font_size: CSS size of the numbers.
        title: title above the table, in Markdown.
    """
    counts = confusion_matrix(y_true, y_pred, labels)
    names = _labels(y_true, y_pred) if labels is None else list(labels)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cell = (  # no CSS gradient: feedback pages drop nested functions
        "<td style='text-align:right;padding:.2em .5em;background:color-mix(in srgb,{} {:.1f}%,transparent)'>{}</td>"
    )
    head = "".join(f"<th>{escape(str(name))}</th>" for name in names)
    body = "".join(
        f"<tr><th>{escape(str(name))}</th>"
        + "".join(cell.format(escape(color), 60 * share, count) for share, count in zip(*row, strict=True))
        + "</tr>"
        for name, *row in zip(names, shares, counts, strict=True)
    )
    corner = f"<th>{escape(say('confusion.corner'))}</th>"
    html = f"<table style='font-size:{escape(font_size)}'><tr>{corner}{head}</tr>{body}</table>"
    rows = [["", *names], *([name, *row] for name, row in zip(names, counts, strict=True))]
    width = max(len(str(value)) for row in rows for value in row)
    lines = [" ".join(str(value).rjust(width) for value in row) for row in rows]
    text = "\n".join([say("confusion.corner"), *lines])
    display(Markdown(title))
    display({"text/html": html, "text/plain": text}, raw=True)


def plot_confusion_matrix(
    y_true: Any,
    y_pred: Any,
    target_names: Sequence[object] | None,
    title: str = "Confusion matrix",
    cmap: str | None = None,
    normalize: bool = True,
    figsize: tuple[float, float] = (10, 8),
    digit_format: str = "{:0.2f}",
    save_as: str | Path | None = None,
) -> Figure:
    """Draw the confusion matrix as an image, with accuracy and misclassification rate below it.

    Args:
        y_true: true labels, shape (N,), from 0 to L - 1 if ``target_names`` has L names.
        y_pred: predicted labels, shape (N,).
        target_names: names of the classes, or None for the labels that occur.
        title: title of the figure.
        cmap: matplotlib colour map, by default blues.
        normalize: whether to show fractions of each row instead of counts.
        figsize: size in inches.
        digit_format: format of the fractions.
        save_as: file to save the figure to.

    Returns:
        The figure.
    """
    arguments = dict(locals())
    counts = confusion_matrix(y_true, y_pred, None if target_names is None else range(len(target_names)))
    accuracy = np.trace(counts) / max(counts.sum(), 1)
    rates = f"accuracy={accuracy:0.4f}; misclass={1 - accuracy:0.4f}"
    shown = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) if normalize else counts

    def draw(figure: Figure) -> None:
        ax = figure.add_subplot()
        image = ax.imshow(shown, interpolation="nearest", cmap=cmap or "Blues")
        figure.colorbar(image, ax=ax)
        names = _labels(y_true, y_pred) if target_names is None else list(target_names)
        ax.set_xticks(range(len(names)), [str(name) for name in names], rotation=90)
        ax.set_yticks(range(len(names)), [str(name) for name in names])
        for (row, column), value in np.ndenumerate(shown):
            text = digit_format.format(value) if normalize else f"{value:,}"
            ax.text(column, row, text, ha="center", va="center", color="white" if value > shown.max() / 2 else "black")
        ax.set(
            title=title,
            ylabel="True label",
            xlabel=f"Predicted label\n{rates}",
        )
        figure.tight_layout()

    return show(draw, figsize, save_as, "plot_confusion_matrix", arguments, f"{title}: {rates}")
