"""The figures of the class report, as vector graphics inside the page."""

import io
import statistics
from collections import defaultdict
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from ..records.class_record import ClassRecord
from ..results.result import Verdict
from .report_texts import TEXTS

_BLUE, _DARK = "#4878a8", "#1d3a57"


def svg(figure: Figure) -> str:
    """A figure as an SVG element. Its words remain text. The same figure always gives the same element."""
    stream = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "report"}):
        figure.savefig(stream, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _axes(height: float) -> tuple[Figure, Any]:
    figure = Figure((7, height))
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def mark_histogram(scores: list[float], out_of: float) -> Figure:
    """How many students have how many points: from each number up to, but not including, the next.

    A score may be above ``out_of``, because of extra credit.
    """
    figure, axes = _axes(2.4)
    bins = range(int(max(out_of, *scores, 0)) + 2)
    counts, _, bars = axes.hist(scores, bins, color=_BLUE, rwidth=0.85)
    axes.bar_label(bars, labels=[str(int(count)) if count else "" for count in counts])
    axes.set_xlabel(str(TEXTS["points"]))
    axes.set_xticks(range(0, int(out_of) + 1, max(1, round(out_of / 20))))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    return figure


def success_by_cell_figure(record: ClassRecord) -> Figure:
    """The mean share of the points of each question, from top to bottom. Marks that are not final are not counted."""
    shares = defaultdict(list)
    for submission in record.submissions:
        for mark in submission.marks:
            if mark.out_of and not mark.needs_grading:
                shares[mark.grade_id].append(mark.points / mark.out_of)
    names = [name for name, points in record.cells if points]
    figure, axes = _axes(0.5 + 0.26 * max(1, len(names)))
    everybody = len(record.submissions)
    # where few are graded, they may all be blank
    waits = {name for name in names if not shares[name] or len(shares[name]) < everybody / 2}
    percentages = [0.0 if name in waits else 100 * statistics.fmean(shares[name]) for name in names]
    bars = axes.barh(names, percentages, color=_BLUE)
    labels = []
    for name, percentage in zip(names, percentages, strict=True):
        graded = len(shares[name])
        some = f"  ({graded} / {everybody})" if graded < everybody else ""
        labels.append(f"{TEXTS['waits']}{some}" if name in waits else f"{percentage:.0f} %{some}")
    axes.bar_label(bars, labels, padding=4)
    axes.set_xlim(0, 120)
    axes.set_xticks([])
    axes.invert_yaxis()
    axes.spines["bottom"].set_visible(False)
    return figure


def accuracy_figure(record: ClassRecord) -> Figure | None:
    """Each measured accuracy as a point, with its threshold as a line; None if no model was trained."""
    rows: dict[str, list[tuple[float, float, bool]]] = defaultdict(list)  # accuracy, threshold, whether it passed
    for submission in record.submissions:
        for grade_id, test in submission.tests():
            if test.accuracy is not None:
                rows[grade_id].append((*test.accuracy, test.verdict is Verdict.PASSED))
    if not rows:
        return None
    figure, axes = _axes(0.7 + 0.45 * len(rows))
    for y, measured in enumerate(rows.values()):
        heights = [y + 0.5 * (i / max(1, len(measured) - 1) - 0.5) for i in range(len(measured))]
        for passed, marker in ((True, "o"), (False, "X")):  # different shapes, for readers who cannot see colours
            points = [(m[0], height) for m, height in zip(measured, heights, strict=True) if m[2] == passed]
            xs, ys = [x for x, _ in points], [y for _, y in points]
            axes.plot(xs, ys, marker, color=_BLUE, alpha=0.7, mec=_DARK, ms=5)
        for threshold in {threshold for _, threshold, _ in measured}:
            axes.vlines(threshold, y - 0.4, y + 0.4, color=_DARK, linestyle="--")
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.set_xlabel(f"{TEXTS['accuracy']} (- - {TEXTS['threshold']})")
    return figure
