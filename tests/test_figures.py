"""Figures that a grading kernel shows from a finished picture instead of drawing them again."""

from pathlib import Path

import pytest
from IPython.core.pylabtools import print_figure
from IPython.utils.dir2 import get_real_method
from matplotlib import rc_context
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from course_lib import training
from course_lib.judge.task import figures_folder
from course_lib.kernel import figures


def test_a_picture_removed_meanwhile_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def removed(path: Path) -> bytes:
        raise FileNotFoundError(path)

    monkeypatch.setenv("COURSE_LIB_CACHE", str(tmp_path))
    monkeypatch.setattr(figures, "drawn", {})
    _, png = figures.picture(Figure.add_subplot, (1, 1), "axes", {})
    assert figures.report().tensors["figure0"].numpy().tobytes() == png
    (figures_folder() / f"{next(iter(figures.drawn))}.png").write_bytes(png)
    monkeypatch.setattr(Path, "read_bytes", removed)
    assert figures.picture(Figure.add_subplot, (1, 1), "axes", {})[1] == png


def test_a_figure_of_unknown_arguments_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A colour scale has no ``repr`` of its own."""
    monkeypatch.setattr(figures, "drawn", {})
    figure, png = figures.picture(Figure.add_subplot, (1, 1), "axes", {"norm": Normalize(0, 1)})
    assert png == print_figure(figure, bbox_inches="tight")
    assert not figures.report().tensors


def test_a_picture_is_known_by_all_it_is_made_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "drawn", {})
    monkeypatch.setattr(figures, "print_figure", lambda *_, **__: b"png")
    first, second = training.ConvergenceHistory(), training.ConvergenceHistory()
    second.history["loss"].append(0.5)

    def known(name: str = "axes", **arguments: object) -> int:
        figures.picture(Figure.add_subplot, (1, 1), name, arguments)
        return len(figures.drawn)

    assert [known(x=1), known(x=2), known(y=1), known("other", x=1), known(x=first), known(x=second)] == [*range(1, 7)]
    assert known(x=1) == known(x=training.ConvergenceHistory()) == 6
    with rc_context({"axes.facecolor": "red"}):
        assert known(x=1) == 7
    monkeypatch.setattr("matplotlib.__version__", "99")
    assert known(x=1) == 8
    monkeypatch.setattr("inspect.getsource", lambda module: f"{module} is rewritten")
    assert known(x=1) == 9


def test_a_known_figure_is_drawn_when_its_parts_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def draw(figure: Figure) -> None:
        drawn.append(figure)
        figure.add_subplot().set_title("known")

    monkeypatch.setenv("COURSE_LIB_CACHE", str(tmp_path))
    monkeypatch.setattr(figures, "drawn", {})
    _, png = figures.picture(draw, (2, 1), "axes", {})
    (figures_folder() / f"{next(iter(figures.drawn))}.png").write_bytes(png)
    drawn.clear()
    figure, found = figures.picture(draw, (2, 1), "axes", {})
    assert found == png
    figure.shown_in = 3
    assert figure.shown_in == 3
    assert isinstance(figure, Figure)
    assert get_real_method(figure, "_ipython_display_")  # IPython looks for it in the value of a cell
    assert not drawn
    assert [ax.get_title() for ax in figure.axes] == ["known"]
    assert drawn == [figure]
    assert tuple(figure.get_size_inches()) == (2, 1)
    assert print_figure(figure, bbox_inches="tight") == png
