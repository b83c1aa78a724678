"""The probes behind the methods of a student's notebook, such as ``student.printed``.

These functions run in the student's kernel. They are sent as source, like an author's own probes, so each uses the
imports of this file only. ``nb`` holds the student's names.
"""

import contextlib
import inspect
import io
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from course_lib.kernel.model_state import copy_by_shape


def raised_by(nb: Any, name: str, arguments: list[Any], keywords: dict[str, Any]) -> list[str] | None:
    """The names of the class of the exception that a call raises, and of its bases; None if it raises none."""
    function = getattr(nb, name)
    with contextlib.suppress(ValueError):  # a function in C may have no signature
        inspect.signature(function).bind(*arguments, **keywords)  # not a function, or other parameters: an error
    try:
        function(*arguments, **keywords)
    except BaseException as error:
        return [kind.__name__ for kind in type(error).__mro__]
    return None


def printed_by(nb: Any, name: str, arguments: list[Any], keywords: dict[str, Any]) -> str:
    """What a call prints."""
    function, printed = getattr(nb, name), io.StringIO()
    with contextlib.redirect_stdout(printed):
        function(*arguments, **keywords)
    return printed.getvalue()


def content_of(nb: Any, path: str, name: str | None, arguments: list[Any], keywords: dict[str, Any]) -> bytes | None:
    """The bytes of a file next to the notebook, after a call if there is a name; None if there is no such file."""
    if name is not None:
        getattr(nb, name)(*arguments, **keywords)
    file = Path(path)
    return file.read_bytes() if file.is_file() else None


def drawn_by(nb: Any, name: str, arguments: list[Any], keywords: dict[str, Any]) -> list[dict[str, Any]]:
    """The axes of the figure that a call draws or returns, or of the figure or axes that a name holds."""
    from matplotlib import pyplot

    found = getattr(nb, name)
    if callable(found):
        pyplot.switch_backend("agg")  # closes open figures; Jupyter's own backend would close this one in show()
        found = found(*arguments, **keywords)
    if isinstance(found, (list, tuple)):
        found = next((part for part in found if hasattr(part, "get_xlabel") or hasattr(part, "get_axes")), None)
    if hasattr(found, "get_xlabel"):
        return [described_axes(found)]
    figure = found if hasattr(found, "get_axes") else None
    if figure is None and pyplot.get_fignums():
        figure = pyplot.gcf()
    return [] if figure is None else [described_axes(axes) for axes in figure.get_axes()]


def described_axes(axes: Any) -> dict[str, Any]:
    """The visible contents of axes, as plain values."""
    legend = axes.get_legend()
    return {
        "title": axes.get_title(),
        "xlabel": axes.get_xlabel(),
        "ylabel": axes.get_ylabel(),
        "xscale": axes.get_xscale(),
        "yscale": axes.get_yscale(),
        "xlim": tuple(map(float, axes.get_xlim())),
        "ylim": tuple(map(float, axes.get_ylim())),
        "lines": [
            {"x": plotted(line.get_xdata()), "y": plotted(line.get_ydata()), "label": str(line.get_label())}
            for line in axes.get_lines()
        ],
        "bars": [
            {"x": float(bar.get_x() + bar.get_width() / 2), "height": float(bar.get_height())}
            for group in axes.containers
            for bar in getattr(group, "patches", [])
        ],
        "points": [plotted(group.get_offsets()) for group in axes.collections if hasattr(group, "get_offsets")],
        "images": [plotted(image.get_array()) for image in axes.get_images()],
        "legend": [] if legend is None else [text.get_text() for text in legend.get_texts()],
        "texts": [text.get_text() for text in axes.texts],
    }


def plotted(values: Any) -> Any:
    """Numbers from matplotlib as a float64 array; a list of strings for other values, such as dates."""
    try:
        return np.asarray(np.ma.filled(values, np.nan), dtype=float)
    except (TypeError, ValueError):
        return [*map(str, values)]


def result_of_steps(
    nb: Any, name: str, arguments: list[Any], keywords: dict[str, Any], steps: list[tuple[str, str, Any, Any]]
) -> tuple[bool, object]:
    """Make an instance of a class and run steps on it.

    Returns:
        True and the last result; or, if the instance lacks an attribute, False and the name of the attribute.
    """
    thing, result = getattr(nb, name)(*arguments, **keywords), None
    for step, attribute, inner_arguments, inner_keywords in steps:
        if not hasattr(thing, attribute):
            return False, attribute
        result = getattr(thing, attribute)
        if step == "call":
            result = result(*inner_arguments, **inner_keywords)
    return True, result


def first_of(nb: Any, name: str, count: int, arguments: list[Any], keywords: dict[str, Any]) -> object:
    """The first items of a generator or another iterable; the value itself if it is not iterable."""
    found = getattr(nb, name)
    made = found(*arguments, **keywords) if callable(found) else found
    if not hasattr(made, "__iter__"):
        return made
    return [*itertools.islice(made, count)]


def parameters_of(nb: Any, name: str) -> list[tuple[str, str, bool, object]]:
    """The parameters of a function: name, kind, whether it has a default, and the default."""
    found = []
    for one in inspect.signature(getattr(nb, name)).parameters.values():
        has_default = one.default is not one.empty
        found.append((one.name, one.kind.name.lower(), has_default, one.default if has_default else None))
    return found


def drawn_values(nb: Any, name: str, count: int, arguments: list[Any], keywords: dict[str, Any]) -> list[object]:
    """What a function returns in each of ``count`` calls."""
    function = getattr(nb, name)
    return [function(*arguments, **keywords) for _ in range(count)]


def seconds_of(nb: Any, name: str, arguments: list[Any], keywords: dict[str, Any], repeat: int) -> float:
    """The CPU seconds of the fastest of ``repeat`` calls."""
    function, taken = getattr(nb, name), []
    for _ in range(repeat):
        began = time.process_time()
        function(*arguments, **keywords)
        taken.append(time.process_time() - began)
    return min(taken)


def outputs_of(
    nb: Any, name: str, init: Any, inputs: list[Any], keywords: dict[str, Any], weights: Any, train: bool
) -> tuple[str, object]:
    """The outputs of a model for any inputs, with weights by name or in the order of their shapes: ("ok", outputs)."""
    model = getattr(nb, name)
    if isinstance(model, type):
        torch.manual_seed(0)
        model = model(**init) if isinstance(init, dict) else model(*init)
    if not isinstance(model, torch.nn.Module):
        return "not_a_model", None
    if isinstance(weights, dict):
        own = model.state_dict()
        if {key: value.shape for key, value in own.items()} != {key: value.shape for key, value in weights.items()}:
            return "parameter_mismatch", None
        model.load_state_dict(weights)
    elif weights is not None and not copy_by_shape(model, weights):
        return "parameter_mismatch", None
    model.train(train)
    with torch.no_grad():
        return "ok", model(*inputs, **keywords)
