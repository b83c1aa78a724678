"""Equal models are trained once, nobody's training reaches another's answer, and the marks are those of whole trainings."""

import base64
import json
import os
import re
import shutil
import sys
import threading
import time
from collections import defaultdict
from copy import deepcopy
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
import torch
from courses import ONE_THREAD, configure, find, marks, nbgrader
from IPython.core.pylabtools import print_figure
from IPython.utils.dir2 import get_real_method
from matplotlib import rc_context
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_notebook, new_output
from safetensors.torch import save
from tiny_course import PYTHON, cell

from course_lib import training
from course_lib.assignment.spec import NotebookSpec
from course_lib.authoring.errors import GradingFault
from course_lib.judge import pipeline as grade_module
from course_lib.judge.pipeline import TrainingNeeded
from course_lib.judge.task import GradingTask, Limits, figures_folder, is_whole
from course_lib.judge.training_cache import (
    code_name,
    is_kept,
    keep_code_training,
    keep_figures,
    keep_trainings,
    locked,
    recall,
    recall_code,
)
from course_lib.kernel import figures, fingerprint, training_reuse
from course_lib.kernel.wire import Packet

GIVEN = """
import course_lib as ooo
import torch
from torch import nn
from torch.nn import functional as F
torch.manual_seed(0)
y = torch.arange(600) % 2
x = torch.randn(600, 2) + 1.5 * (2 * y[:, None] - 1)

@ooo.training_loop
def fit(model, X, Y, X_test, Y_test, EPOCHS):
    history = ooo.ConvergenceHistory()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.08)
    history.update(model, X, Y, X_test, Y_test)
    for epoch in range(EPOCHS):
        optimizer.zero_grad()
        F.cross_entropy(model(X), Y).backward()
        optimizer.step()
        history.update(model, X, Y, X_test, Y_test)
    return history
"""
TRAIN = "torch.manual_seed(1)\nnet = Net()\nhistory = fit(net, x, y, x, y, EPOCHS=100)"
NET = """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 8), nn.Linear(8, 2)

    def forward(self, x):
        return self.b({}(self.a(x)))"""
ACCURATE = """
import torch
from course_lib.authoring.hidden_tests import hidden_test

def data():
    torch.manual_seed(0)
    y = torch.arange(600) % 2
    return torch.randn(600, 2) + 1.5 * (2 * y[:, None] - 1), y

@hidden_test(1, fr="net est exact.", en="net is accurate.", accuracy=0.9)
def test_accurate(student):
    x, y = data()
    assert (student.forward("net", x, classes=2).logits.argmax(1) == y).float().mean() >= 0.9
"""
SURE = """
@hidden_test(1, fr="net est sûr de lui.", en="net is sure.")
def test_sure(student):
    x, y = data()
    assert torch.nn.functional.cross_entropy(student.forward("net", x, classes=2).logits, y) < 0.2
"""


def net_notebook(answer: str, extra: tuple[str, ...] = (), points: int = 1) -> nbformat.NotebookNode:
    return new_notebook(
        cells=[
            cell("given", GIVEN, locked=True),
            *map(new_code_cell, extra),
            cell("net", answer, solution=True),
            cell("train_net", TRAIN, locked=True),
            cell("test_net", "net", grade=True, locked=True, points=points),
        ],
        metadata={"kernelspec": PYTHON},
    )


Students = dict[str, tuple[str, tuple[str, ...]]]
"""Answers, and code in cells of their own."""

STUDENTS: Students = {
    "as the reference": (NET.format("torch.relu"), ()),
    "tanh": (NET.format("torch.tanh"), ()),
    "tanh, commented": (NET.format("torch.tanh") + "\n# mine", ()),
    "tanh, poisoned": (NET.format("torch.tanh"), ("F.cross_entropy = lambda *a, **k: nn.functional.mse_loss(a[0], 0 * a[0])",)),
    "never accurate": (NET.format("0 * "), ()),
    "broken": (NET.format("torch.nothing"), ()),
    "batch statistics": (NET.format("torch.relu").replace("nn.Linear(2, 8)", "nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8))"), ()),
    "dropout": (NET.format("torch.relu").replace("(self.a(x))", "(F.dropout(self.a(x), 0.1, self.training))"), ()),
}  # fmt: skip
PASSES = {name: name not in ("never accurate", "broken") and "poisoned" not in name for name in STUDENTS}


def make(folder: Path, root: Path, tests: str, points: int, students: Students = STUDENTS) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(root / "nbgrader_config.py", folder)
    configure(folder, "c.JudgedAutograde.workers = 1", ONE_THREAD)
    for kind in ("source", "grader_tests"):
        (folder / kind / "net").mkdir(parents=True)
    (folder / "grader_tests" / "net" / "test_net.py").write_text(tests)
    source = f"### BEGIN SOLUTION\n{NET.format('torch.relu')}\n### END SOLUTION"
    nbformat.write(net_notebook(source, points=points), folder / "source" / "net" / "net.ipynb")
    assert nbgrader(folder, "generate_assignment", "net").returncode == 0
    for student, (answer, extra) in students.items():
        (folder / "submitted" / student / "net").mkdir(parents=True)
        nbformat.write(net_notebook(answer, extra), folder / "submitted" / student / "net" / "net.ipynb")


def grade(folder: Path, *options: str) -> dict[str, float]:
    run = nbgrader(folder, "autograde", "net", *options)
    assert run.returncode == 0, run.stderr
    return {student: mark for student, found in marks(folder, "net").items() for mark in found.values()}


def said(folder: Path, student: str) -> str:
    node = nbformat.read(folder / "autograded" / student / "net" / "net.ipynb", as_version=4)
    return "".join(o.get("text", "") for c in node.cells if c.id == "train_net" for o in c.outputs)


def trained(cache: Path) -> list[bool]:
    """For each code of students that was run to train: whether it did."""
    return sorted(path.stat().st_size > 0 for path in (cache / "trainings").glob("code-*.safetensors"))


def test_a_class_trains_each_model_once(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("COURSE_LIB_CACHE", str(cache))
    folder = tmp_path / "course"
    make(folder, root, ACCURATE, 1)
    assert grade(folder) == {name: float(passes) for name, passes in PASSES.items()}
    assert "repris" in said(folder, "as the reference")
    assert "repris" in said(folder, "tanh")
    assert "repris" in said(folder, "tanh, commented")
    assert "repris" not in said(folder, "tanh, poisoned"), "its own code changed what its training computes"
    assert trained(cache) == [True] * 4, "tanh, never accurate, batch statistics, dropout"

    path = folder / "grader_tests" / "net" / "test_net.py"  # a test that wants more than the accuracy
    path.write_text((ACCURATE + SURE).replace("hidden_test(1, ", "hidden_test(0.5, "))
    times = {p: p.stat().st_ino for p in (cache / "trainings").iterdir()}
    assert grade(folder) == {name: float(passes) for name, passes in PASSES.items()}, "whole trainings are sure enough"
    assert all(p.stat().st_ino == inode for p, inode in times.items()), "no finished training was repeated"


@pytest.mark.long
def test_a_class_that_trains_each_time_gets_the_same_marks(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("COURSE_LIB_CACHE", str(cache))
    folder = tmp_path / "course"
    make(folder, root, ACCURATE, 1)
    assert grade(folder, "--JudgedAutograde.train_once=False") == {
        name: float(passes) for name, passes in PASSES.items()
    }
    assert trained(cache) == []
    assert "repris" not in said(folder, "as the reference")


POISON = """
from course_lib import training
from course_lib.kernel import training_reuse
report, recall = training_reuse.report, training.recall
def poisoned():
    packet = report()
    for one in packet.fields.get("trainings", []):
        one["stopped"] = False
    packet.tensors = {name: value if "probe" in name else 0 * value for name, value in packet.tensors.items()}
    return packet
def unimpressed(run):
    with training_reuse.left_as_it_was(run.model):
        recall(run)
training_reuse.report, training.recall = poisoned, unimpressed
"""
"""Leaves weights of zero for others, and trains for itself."""


def test_a_comment_cannot_hide_code_that_trains_for_others(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IPython ends a line at U+2028 and writes a command for the shell anew: what follows is no comment any more."""
    monkeypatch.setenv("COURSE_LIB_CACHE", str(tmp_path / "cache"))
    right = NET.format("torch.tanh")
    students = {"a attacker": (f"{right}\n# mine\u2028!true\u2028exec({POISON!r})", ()), "b classmate": (right, ())}
    make(tmp_path / "course", root, ACCURATE, 1, students)
    assert grade(tmp_path / "course") == {"a attacker": 1, "b classmate": 1}


def test_the_time_of_a_training_on_a_card_counts(
    spec: NotebookSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it, unless it ends at once: code that waits on a card only would have twice the time."""

    def trained(job: GradingTask, needed: TrainingNeeded, device: str) -> Packet:
        time.sleep(waits[device])
        if device == "cuda":
            raise GradingFault
        return Packet()

    monkeypatch.setattr(grade_module, "_trained", trained)
    counted = []
    for on_a_card in (0.2, 0.5):
        waits = {"cuda": on_a_card, "cpu": 0.1}
        needed, seconds = TrainingNeeded([], None, tmp_path / f"{on_a_card}"), defaultdict[str, float](float)
        job = GradingTask(spec, "", tmp_path, tmp_path, Limits(training=4), "fr", device="cuda")
        grade_module._train(job, needed, seconds)
        counted.append(seconds["training"])
    assert counted[0] < 0.2
    assert counted[1] >= 0.6


@pytest.mark.long
def test_what_fails_on_a_graphics_card_is_trained_on_the_cpu(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others' code may have taken the card's memory; here a model itself does not like it."""
    cache, folder = tmp_path / "cache", tmp_path / "course"
    monkeypatch.setenv("COURSE_LIB_CACHE", str(cache))
    picky = NET.format("torch.sigmoid").replace(
        "super()", "import os; assert os.environ['COURSE_LIB_DEVICE'] == 'cpu'\n        super()"
    )
    students = {"on anything": NET.format("torch.tanh"), "on the CPU": picky}
    make(folder, root, ACCURATE, 1, {name: (code, ()) for name, code in students.items()})
    one = "autograde.graphics_card = lambda protection: 'one'"
    configure(folder, "from course_lib.nbgrader_plugins import autograde", one)
    options = ("--JudgedAutograde.device=cuda", "--JudgedAutograde.language=en")
    assert grade(folder, *options) == {"on anything": 1, "on the CPU": 1}
    assert trained(cache) == [True, True]


# -- the parts ----------------------------------------------------------------------------------------------------------


def cells(*sources: str) -> list[nbformat.NotebookNode]:
    return [new_code_cell(source) for source in sources]


def test_who_waited_for_the_same_training_does_not_train_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers may find at the same time that nobody has trained a model: the second waits, then has it."""
    path = tmp_path / "training.safetensors"
    needed = TrainingNeeded([], None, path)
    monkeypatch.setattr(grade_module, "Session", lambda *_: pytest.fail("it trains again"))

    class Busy(threading.Thread):
        def run(self) -> None:
            with locked(path):
                started.set()
                time.sleep(0.5)
                path.write_bytes(save({}))  # trained meanwhile

    started = threading.Event()
    Busy().start()
    started.wait()
    grade_module._train(None, needed, defaultdict(float))


def test_all_runs_of_a_notebook_share_its_time(
    spec: NotebookSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those before a training, and the one after it; the training has a kernel of its own."""
    left: list[float] = []

    def run(job: GradingTask, notebook: object, paths: object, early: bool, seconds: dict[str, float]) -> None:
        left.append(job.limits.submission)
        seconds["cells"] += 10
        if len(left) == 3:
            raise GradingFault
        raise TrainingNeeded([], None, tmp_path)

    def train(job: GradingTask, needed: object, seconds: dict[str, float]) -> None:
        assert job.limits.submission == 100
        seconds["training"] += 5

    monkeypatch.setattr(grade_module, "_run", run)
    monkeypatch.setattr(grade_module, "_train", train)
    job = GradingTask(spec, nbformat.writes(spec.skeleton).encode(), tmp_path, tmp_path, Limits(submission=100), "fr")
    with pytest.raises(GradingFault):
        grade_module.grade(job)
    assert left == [100, 85, 70]


def test_the_pictures_of_answers_are_not_kept(spec: NotebookSpec, tmp_path: Path) -> None:
    notebook = nbformat.from_dict(deepcopy(spec.source))
    pictures = [b"given", b"answer"]
    for name, picture in zip(("look", "one_hot"), pictures, strict=True):
        find(notebook, name).outputs = [new_output("display_data", {"image/png": base64.b64encode(picture).decode()})]
    report = Packet(
        {"figures": ["0", "1"]},
        {f"figure{i}": torch.tensor(list(p), dtype=torch.uint8) for i, p in enumerate(pictures)},
    )
    keep_figures(report, grade_module._shown(notebook), tmp_path)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"given"]


def test_a_picture_that_is_removed_while_it_is_looked_for_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed(path: Path) -> bytes:
        raise FileNotFoundError(path)

    monkeypatch.setenv("COURSE_LIB_CACHE", str(tmp_path))
    monkeypatch.setattr(figures, "_drawn", {})
    _, png = figures.picture(Figure.add_subplot, (1, 1), "axes", {})
    assert figures.report().tensors["figure0"].numpy().tobytes() == png
    (figures_folder() / f"{next(iter(figures._drawn))}.png").write_bytes(png)
    monkeypatch.setattr(Path, "read_bytes", removed)
    assert figures.picture(Figure.add_subplot, (1, 1), "axes", {})[1] == png


def test_a_figure_is_drawn_of_what_nobody_can_tell_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A colour scale has no ``repr`` of its own."""
    monkeypatch.setattr(figures, "_drawn", {})
    figure, png = figures.picture(Figure.add_subplot, (1, 1), "axes", {"norm": Normalize(0, 1)})
    assert png == print_figure(figure, bbox_inches="tight")
    assert not figures.report().tensors


def test_a_picture_is_known_by_all_that_it_is_made_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_drawn", {})
    monkeypatch.setattr(figures, "print_figure", lambda *_, **__: b"png")
    first, second = training.ConvergenceHistory(), training.ConvergenceHistory()
    second.history["loss"].append(0.5)

    def known(name: str = "axes", **arguments: object) -> int:
        figures.picture(Figure.add_subplot, (1, 1), name, arguments)
        return len(figures._drawn)

    assert [known(x=1), known(x=2), known(y=1), known("other", x=1), known(x=first), known(x=second)] == [*range(1, 7)]
    assert known(x=1) == known(x=training.ConvergenceHistory()) == 6
    with rc_context({"axes.facecolor": "red"}):
        assert known(x=1) == 7
    monkeypatch.setattr("matplotlib.__version__", "99")
    assert known(x=1) == 8
    monkeypatch.setattr("inspect.getsource", lambda module: f"{module} is written anew")
    assert known(x=1) == 9


def test_a_figure_whose_picture_is_known_is_drawn_once_its_parts_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def draw(figure: Figure) -> None:
        drawn.append(figure)
        figure.add_subplot().set_title("known")

    monkeypatch.setenv("COURSE_LIB_CACHE", str(tmp_path))
    monkeypatch.setattr(figures, "_drawn", {})
    _, png = figures.picture(draw, (2, 1), "axes", {})
    (figures_folder() / f"{next(iter(figures._drawn))}.png").write_bytes(png)
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


def test_equal_code_has_the_same_name_whatever_its_comments() -> None:
    name = code_name(cells("x = 1", "def f(a):\n    return a"), 0.9)
    assert name == code_name(cells("x = 1  # one", "def f( a ):\n\n    # as it is\n    return a"), 0.9)
    others = [
        code_name(cells("x = 2", "def f(a):\n    return a"), 0.9),
        code_name(cells("x = 1", "def f(a):\n    return a"), None),
        code_name(cells("x = 1"), 0.9),
        code_name(cells("x = 1", "%magic"), 0.9),
        code_name(cells("x = 1", "(" * 1000), 0.9),
        code_name(cells("x = 1", "x" + ".a" * 1200), 0.9),
        code_name(cells("x = 1", "\ud800"), 0.9),
        code_name(cells("x = 1", "def f(a):\n    return a\n# \u2028!true\u2028g()"), 0.9),  # no comment to IPython
    ]
    assert len({name, *others}) == 9
    assert all(re.fullmatch(r"code-[0-9a-f]{32}\.safetensors", other) for other in others)


@pytest.mark.parametrize("module", [training, fingerprint, training_reuse])
def test_what_another_library_trained_is_not_looked_for(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = code_name(cells("x = 1"), 0.9)
    other = tmp_path / "other.py"
    other.write_text("# another probe")
    with monkeypatch.context() as patch:
        patch.setattr(module, "__file__", str(other))
        assert code_name(cells("x = 1"), 0.9) != name
    monkeypatch.setattr(torch, "__version__", "2.0")
    assert code_name(cells("x = 1"), 0.9) != name


def test_a_deep_history_trains_nothing(tmp_path: Path) -> None:
    """It is written with little on the stack, and read with much: that is no fault of the grader.

    From Python 3.12 on, what stands on the stack does not matter to json: then it is read.
    """

    def with_much_on_the_stack(calls: int) -> tuple[Packet, bool]:
        return with_much_on_the_stack(calls - 1) if calls else recall_code(request, path)

    history: list[object] = []
    for _ in range(800):
        history = [history]
    about = {"recipe": "0" * 32, "history": history, "stopped": False, "device": "cpu", "training": True}
    path = tmp_path / "code.safetensors"
    keep_code_training(Packet({"trainings": [about]}, {"0/probe0": torch.tensor(1.0)}), path)
    request = Packet({"recipe": "0" * 32}, {"probe0": torch.tensor(1.0)})
    assert path.stat().st_size
    read = Packet({"history": json.dumps(history), "training": True}) if sys.version_info >= (3, 12) else Packet()
    assert with_much_on_the_stack(400) == (read, False)


@pytest.mark.parametrize("report", [
    Packet(), Packet({"trainings": []}), Packet({"trainings": [1]}), Packet({"trainings": [{"recipe": "x"}]}),
    Packet({"trainings": {"a": 1}}), Packet({"trainings": [{"recipe": [], "history": {}, "stopped": 1}]}, {"0/probe0": torch.ones(3)}),
])  # fmt: skip
def test_what_a_hostile_kernel_reports_trains_nothing(report: Packet, tmp_path: Path) -> None:
    path = tmp_path / "code-1.safetensors"
    keep_code_training(report, path)
    assert recall_code(Packet({"recipe": "x"}), path)[0].tensors == {}
    assert path.read_bytes() == b""


def test_a_stored_training_answers_the_same_request_only(tmp_path: Path) -> None:
    """Whatever name it is asked for by: a student's kernel writes the request."""
    recipe, ones, path = "a" * 32, torch.ones(1), tmp_path / "code-0.safetensors"
    one = {"recipe": recipe, "history": [1], "stopped": True, "device": "cpu", "training": True}
    tensors = {f"{n}/{name}": (n + 1) * ones for n in range(2) for name in ("probe0", "weight")}
    report = Packet({"trainings": [one, one]}, tensors)
    assert len(set(keep_trainings(report, tmp_path))) == 2, "of two models, both are kept"
    keep_code_training(report, path)
    os.utime(path, (0, 0))
    found, ended_early = recall_code(Packet({"recipe": recipe}, {"probe0": 2 * ones}), path)
    assert (found.tensors, ended_early) == ({"weight": 2 * ones}, True)
    assert path.stat().st_mtime, "it was used now"
    others = [
        ("b" * 32, [2 * ones]),
        *((recipe, of) for of in ([], [2.01 * ones], [2 * torch.ones(3)], [2 * ones] * 2)),
    ]
    for other, probes in others:
        request = Packet({"recipe": other}, {f"probe{i}": probe for i, probe in enumerate(probes)})
        assert recall_code(request, path) == (Packet(), False)
    path.write_bytes(save({"probe0": ones}, metadata={"recipe": f'"{recipe}"'}))  # by an older course_lib
    assert recall_code(Packet({"recipe": recipe}, {"probe0": ones}), path) == (Packet(), False)
    keep_code_training(Packet({"trainings": [one | {"recipe": "code"}]}, {"0/probe0": ones, "0/weight": ones}), path)
    for recipe in ("code", "*", "/code", "../code"):
        assert recall(Packet({"recipe": recipe}, {"probe0": ones}), tmp_path) == (Packet(), "")


def test_a_damaged_training_is_done_anew(tmp_path: Path) -> None:
    """Everybody who needs it would train for himself, in every run."""
    report = Packet(
        {"trainings": [{"recipe": "a" * 32, "history": [1], "stopped": False, "device": "cpu", "training": True}]},
        {"0/probe0": torch.ones(1), "0/weight": torch.ones(1000)},
    )
    [name] = keep_trainings(report, tmp_path)
    by_code = tmp_path / "code-0.safetensors"
    keep_code_training(report, by_code)
    assert is_whole(tmp_path / name)
    assert is_kept(by_code)
    for path in (tmp_path / name, by_code):
        path.write_bytes(path.read_bytes()[:-100])
    assert not is_whole(tmp_path / name)
    assert not is_kept(by_code)
    keep_code_training(Packet(), by_code)
    assert is_kept(by_code), "it trains nothing"
