"""Equal models are trained once, nobody's training reaches another's answer, and the marks are those of whole trainings."""

import base64
import inspect
import os
import re
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
import torch
from courses import find, marks, nbgrader
from nbformat.v4 import new_code_cell, new_notebook, new_output
from safetensors.torch import save
from tiny_course import PYTHON, cell
from torch import nn

import course_lib
from course_lib import training
from course_lib.grading import grade as grade_module
from course_lib.grading.errors import GradingFault
from course_lib.grading.grade import TrainingNeeded
from course_lib.grading.job import Job, Limits, NotebookSpec, figures_folder
from course_lib.grading.store import is_whole
from course_lib.grading.trainings import (
    code_name,
    is_kept,
    keep_code_training,
    keep_figures,
    keep_trainings,
    locked,
    recall,
    recall_code,
)
from course_lib.kernel import figures, finished
from course_lib.kernel.wire import Packet
from course_lib.plots import new_figure

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
from course_lib.grading.hidden import hidden_test

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
    config = (root / "nbgrader_config.py").read_text()
    (folder / "nbgrader_config.py").write_text(f"{config}\nc.JudgedAutograde.workers = 1\n")  # other tests run beside
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


LOOP = """
import course_lib, torch
from torch import nn

RATE = 0.1

class Stop:
    pass

def step(model, x, y):
    {step}

@course_lib.training_loop
def fit(model, x, y, EPOCHS=3):
    history = course_lib.ConvergenceHistory()
    for _ in range(EPOCHS):
        step(model, x, y){more}
    return history
"""


def run_of(folder: Path, name: str, model: nn.Module, step: str = "pass", more: str = "") -> training.TrainingRun:
    """A training whose loop stands in a module, with what it uses."""
    path = folder / f"{name}.py"
    path.write_text(LOOP.format(step=step, more=more))
    module = ModuleType("notebook")
    exec(compile(path.read_text(), path, "exec"), module.__dict__)
    x, y = torch.linspace(-1, 1, 60).reshape(20, 3), torch.arange(20) % 2
    return training.TrainingRun(model, inspect.unwrap(module.fit), {"x": x, "y": y})


def test_a_loop_that_calls_the_students_own_function_is_another_training(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    recipes = [
        finished.recipe(run_of(tmp_path, f"m{n}", model, step))
        for n, step in enumerate(("pass", "pass", "model(x).sum()", "return RATE"))
    ]
    assert recipes[0] == recipes[1]
    assert len(set(recipes)) == 3
    changed = run_of(tmp_path, "m4", model, "return RATE")
    changed.loop.__globals__["RATE"] = 0.2
    assert finished.recipe(changed) not in recipes
    with pytest.raises((OSError, TypeError)):  # a class of the notebook: nobody can tell
        finished.recipe(run_of(tmp_path, "m5", model, "return Stop"))


class Coder(nn.Module):
    """Has a method of its own beside forward."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(3, 2)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return self.line(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.encode(x)


@pytest.mark.parametrize("model", [nn.Sequential(nn.Linear(3, 2)), Coder()])
def test_what_torch_and_python_give_can_be_told(tmp_path: Path, model: nn.Module) -> None:
    found = []
    for n, (rate, loss) in enumerate([(0.1, "mse_loss"), (0.1, "mse_loss"), (0.2, "mse_loss"), (0.1, "l1_loss")]):
        run = run_of(tmp_path, f"m{n}", model, "[].append(loss(model(x), y) * RATE[0])")
        run.loop.__globals__.update(RATE=[rate], loss=getattr(nn.functional, loss))
        run.arguments |= {"criterion": nn.CrossEntropyLoss(), "seeds": (1, None), "mode": "min"}
        found.append(finished.recipe(run))
    assert found[0] == found[1]
    assert len(set(found)) == 3


@pytest.mark.parametrize("argument", [
    nn.Linear(2, 3), Coder(), object(), torch.Generator(), [torch.utils.data.DataLoader([1])],
], ids=lambda argument: type(argument).__name__)  # fmt: skip
@pytest.mark.parametrize("is_global", [False, True])
def test_what_nobody_can_tell_is_trained_again(tmp_path: Path, argument: object, is_global: bool) -> None:
    """A second model would stay untrained, and two data loaders at the same address be taken for the same."""
    run = run_of(tmp_path, "m", nn.Linear(3, 2), "RATE")
    if is_global:
        run.loop.__globals__["RATE"] = argument
    else:
        run.arguments["more"] = argument
    with pytest.raises(TypeError):
        finished.recipe(run)


def test_a_method_of_the_model_that_the_loop_calls_is_not_probed(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="encode"):
        finished.recipe(run_of(tmp_path, "m", Coder(), "model.encode(x)"))


@pytest.mark.parametrize(("loss", "same"), [("nn.functional.cross_entropy", True), ("nn.functional.nll_loss", False)])
def test_logits_are_log_probabilities_for_the_cross_entropy_only(tmp_path: Path, loss: str, same: bool) -> None:
    models = [nn.Sequential(nn.Linear(3, 2)), nn.Sequential(nn.Linear(3, 2), nn.LogSoftmax(dim=1))]
    more = f"\n        {loss}(model(x), y).backward()"
    first, second = (finished.probe(run_of(tmp_path, f"m{n}", m, more=more)) for n, m in enumerate(models))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(first, second, strict=True)) is same


def test_models_with_one_output_are_told_apart(tmp_path: Path) -> None:
    """Their cross entropy is 0, whatever they compute."""
    models = [nn.Sequential(nn.Linear(3, 4), between, nn.Linear(4, 1)) for between in (nn.ReLU(), nn.Tanh())]
    more = "\n        nn.functional.mse_loss(model(x)[:, 0], y.float()).backward()"
    first, second = (finished.probe(run_of(tmp_path, f"m{n}", m, more=more)) for n, m in enumerate(models))
    assert not torch.allclose(first[0], second[0], rtol=1e-2)


class Auto(nn.Module):
    """An autoencoder that gives its code, too."""

    def __init__(self, act: nn.Module, kind: type) -> None:
        super().__init__()
        self.a, self.b, self.act, self.kind = nn.Linear(3, 2), nn.Linear(2, 3), act, kind

    def forward(self, x: torch.Tensor) -> object:
        code = self.act(self.a(x))
        parts = {"image": self.b(code), "code": (code,)}
        return parts if self.kind is dict else self.kind(parts.values())


@pytest.mark.parametrize("kind", [tuple, list, dict])
def test_models_without_labels_and_with_several_outputs_are_told_apart(tmp_path: Path, kind: type) -> None:
    found = []
    for n, act in enumerate((nn.ReLU(), nn.ReLU(), nn.Tanh())):
        run = run_of(tmp_path, f"m{n}", Auto(act, kind))
        del run.arguments["y"]
        found.append(finished.probe(run)[0].item())
    assert found[0] == found[1] != pytest.approx(found[2], rel=1e-2)


def test_outputs_under_other_names_are_told_apart(tmp_path: Path) -> None:
    found = []
    for n, names in enumerate([("image", "code"), ("code", "image"), ("image", "c"), (0, 1)]):
        run = run_of(tmp_path, f"m{n}", nn.Linear(3, 3))
        run.model.register_forward_hook(lambda m, args, y, names=names: dict(zip(names, (y, y.relu()), strict=True)))
        found.append(finished.probe(run))
    first = found[0][-1]
    assert [torch.equal(first, other[-1]) for other in found] == [True, True, False, False]
    assert not torch.allclose(found[0][0], found[1][0]), "in each other's place"


def test_models_of_sequences_are_told_apart(tmp_path: Path) -> None:
    """Their cross entropy is one of many words for each text, which the loop lays out as it likes."""
    found = []
    for n, act in enumerate((nn.ReLU(), nn.ReLU(), nn.Tanh())):
        model = nn.Sequential(nn.Embedding(9, 4), act, nn.Linear(4, 9))
        run = run_of(tmp_path, f"m{n}", model, more="\n        F.cross_entropy(model(x).mT, y)")
        run.arguments["x"] = run.arguments["y"] = torch.arange(60).reshape(20, 3) % 9
        found.append(finished.probe(run)[0].item())
    assert found[0] == found[1] != pytest.approx(found[2], rel=1e-2)


class Brighter(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 0.3


def test_models_with_many_outputs_are_told_apart(tmp_path: Path) -> None:
    models = [nn.Sequential(nn.Linear(3, 784), nn.Sigmoid(), last) for last in (nn.Identity(), Brighter())]
    answers = []
    for n, model in enumerate(models):
        found = finished.probe(run_of(tmp_path, f"m{n}", model))
        answers.append(Packet({"recipe": "0" * 32}, {f"probe{i}": value for i, value in enumerate(found)}))
    about = {"recipe": "0" * 32, "history": {}, "stopped": False, "device": "cpu"}
    keep_code_training(
        Packet(
            {"trainings": [about]}, {f"0/{k}": v for k, v in (answers[0].tensors | {"weight0": torch.ones(1)}).items()}
        ),
        tmp_path / "a",
    )
    assert [len(recall_code(answer, tmp_path / "a")[0].tensors) for answer in answers] == [1, 0]


@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.BatchNorm1d])
def test_what_stands_before_a_normalization_shows(tmp_path: Path, norm: type[nn.Module]) -> None:
    models = [nn.Sequential(nn.Linear(3, 4), act, nn.Linear(4, 4), norm(4), nn.Linear(4, 4), norm(4), nn.Linear(4, 2))
              for act in (nn.ReLU(), nn.Tanh())]  # fmt: skip
    first, second = (finished.probe(run_of(tmp_path, f"m{n}", m)) for n, m in enumerate(models))
    assert not all(torch.allclose(a, b, atol=1e-5) for a, b in zip(first, second, strict=True))


POISON = """
from course_lib import training
from course_lib.kernel import finished
report, recall = finished.report, training.recall
def poisoned():
    packet = report()
    for one in packet.fields.get("trainings", []):
        one["stopped"] = False
    packet.tensors = {name: value if "probe" in name else 0 * value for name, value in packet.tensors.items()}
    return packet
def unimpressed(run):
    with finished.left_as_it_was(run.model):
        recall(run)
finished.report, training.recall = poisoned, unimpressed
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

    def trained(job: Job, needed: TrainingNeeded, device: str) -> Packet:
        time.sleep(waits[device])
        return Packet()

    monkeypatch.setattr(grade_module, "_trained", trained)
    counted = []
    for on_a_card in (0.01, 0.3):
        waits = {"cuda": on_a_card, "cpu": 0.1}
        needed, seconds = TrainingNeeded([], None, tmp_path / f"{on_a_card}"), defaultdict[str, float](float)
        job = Job(spec, "", tmp_path, tmp_path, Limits(training=1), "fr", device="cuda")
        grade_module._train(job, needed, seconds)
        counted.append(seconds["training"])
    assert counted[0] < 0.2
    assert counted[1] >= 0.4


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
    with (folder / "nbgrader_config.py").open("a") as config:
        config.write("from course_lib.grading import autograde\nautograde.graphics_card = lambda protection: 'one'\n")
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

    def run(job: Job, notebook: object, paths: object, early: bool, seconds: dict[str, float]) -> None:
        left.append(job.limits.submission)
        seconds["cells"] += 10
        if len(left) == 3:
            raise GradingFault
        raise TrainingNeeded([], None, tmp_path)

    def train(job: Job, needed: object, seconds: dict[str, float]) -> None:
        assert job.limits.submission == 100
        seconds["training"] += 5

    monkeypatch.setattr(grade_module, "_run", run)
    monkeypatch.setattr(grade_module, "_train", train)
    job = Job(spec, nbformat.writes(spec.skeleton).encode(), tmp_path, tmp_path, Limits(submission=100), "fr")
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
    figure = new_figure((1, 1))
    figure.add_subplot()
    png = figures.picture(figure, "axes", {})
    (figures_folder() / f"{next(iter(figures._drawn))}.png").write_bytes(png)
    monkeypatch.setattr(Path, "read_bytes", removed)
    assert figures.picture(figure, "axes", {}) == png


def test_equal_code_has_the_same_name_whatever_its_comments() -> None:
    name = code_name(cells("x = 1", "def f(a):\n    return a"), 0.9)
    assert name == code_name(cells("x = 1  # one", "def f( a ):\n\n    # as it is\n    return a"), 0.9)
    others = [
        code_name(cells("x = 2", "def f(a):\n    return a"), 0.9),
        code_name(cells("x = 1", "def f(a):\n    return a"), None),
        code_name(cells("x = 1"), 0.9),
        code_name(cells("x = 1", "%magic"), 0.9),
        code_name(cells("x = 1", "(" * 1000), 0.9),
        code_name(cells("x = 1", "\ud800"), 0.9),
        code_name(cells("x = 1", "def f(a):\n    return a\n# \u2028!true\u2028g()"), 0.9),  # no comment to IPython
    ]
    assert len({name, *others}) == 8
    assert all(re.fullmatch(r"code-[0-9a-f]{32}\.safetensors", other) for other in others)


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.line(x)


def separable() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(200) % 2
    return torch.randn((200, 2), generator=generator) + 2 * (2 * y[:, None] - 1), y


@course_lib.training_loop
def fit(model, x, y, x_test, y_test, EPOCHS):
    history = course_lib.ConvergenceHistory()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(EPOCHS):
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        history.update(model, x, y, x_test, y_test)
    return history


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> list[Packet]:
    """The requests of this process, which is a grading kernel for a while; the first answer names an accuracy."""
    requests: list[Packet] = []

    def answer(request: Packet) -> Packet:
        requests.append(request)
        return Packet({"enough": 0.9})

    for name in ("recall", "recall_evaluation", "keep"):
        monkeypatch.setattr(training, name, None)
    monkeypatch.setattr(finished, "_kept", [])
    finished.activate(answer)
    return requests


def test_a_training_ends_at_the_accuracy_that_is_asked_for(judge: list[Packet], capsys) -> None:
    x, y = separable()
    torch.manual_seed(2)
    history = fit(Line(), x, y, x, y, EPOCHS=300).history["val_accuracy"]
    assert len(history) < 300
    assert history[-1] >= 0.9
    assert max(history[:-1], default=0) < 0.9
    assert "0.9" in capsys.readouterr().out
    assert [request.fields.get("stopped") for request in judge] == [None, True], "the judge is told"
    report = finished.report()
    assert [one["stopped"] for one in report.fields["trainings"]] == [True]


def test_a_stored_training_fits_what_behaves_the_same_only(judge: list[Packet], tmp_path: Path) -> None:
    x, y = separable()
    fit(Line(), x, y, x, y, EPOCHS=3)
    request = judge[0]
    path = tmp_path / "code-1.safetensors"
    keep_code_training(finished.report(), path)
    answer, stopped = recall_code(request, path)
    assert set(answer.tensors) == {"weight0", "weight1"}
    assert isinstance(stopped, bool)
    assert recall(request, tmp_path)[0].tensors == {}, "a student's training is not for others"
    os.rename(path, tmp_path / f"{request.fields['recipe']}-0.safetensors")
    assert recall(request, tmp_path)[0].tensors.keys() == answer.tensors.keys()
    other = Packet(request.fields, request.tensors | {"probe0": request.tensors["probe0"] + 1})
    assert recall(other, tmp_path)[0].tensors == {}
    assert recall(Packet(request.fields | {"recipe": "0" * 32}, request.tensors), tmp_path)[0].tensors == {}


@pytest.mark.parametrize("table", [nn.Embedding, nn.EmbeddingBag])
def test_an_embedding_begins_with_usual_weights(judge: list[Packet], table: type[nn.Module]) -> None:
    """Torch's own have a deviation of 1, whatever the length of a row."""
    rows = table(50, 64)
    model = nn.Sequential(rows, nn.Flatten(), nn.LazyLinear(2))
    x, y = torch.randint(0, 50, (40, 6)), torch.arange(40) % 2
    model(x)
    fit(model, x, y, x, y, EPOCHS=1)
    nn.init.zeros_(rows.weight)
    fit(model, x, y, x, y, EPOCHS=1)
    assert ["recipe" in request.fields for request in judge].count(True) == 1


def test_a_loop_may_write_down_other_things(judge: list[Packet], tmp_path: Path) -> None:
    """Such as a loss only: its training is taken over all the same, and stops nobody's cell."""

    @course_lib.training_loop
    def regress(model, x, y, x_test, y_test, EPOCHS):
        history = course_lib.ConvergenceHistory()
        history.history["loss"] += [nn.functional.mse_loss(model(x), y).item()] * EPOCHS
        return history

    x, y = torch.rand(40, 2), torch.rand(40, 2)
    regress(Line(), x, y, x, y, EPOCHS=2)
    keep_trainings(finished.report(), tmp_path)
    finished.activate(lambda request: recall(request, tmp_path)[0])
    assert len(regress(Line(), x, y, x, y, EPOCHS=2).history["loss"]) == 2
    assert finished.report().fields["trainings"] == [], "it was taken over"


def test_a_deep_history_trains_nothing(tmp_path: Path) -> None:
    """It is written with little on the stack, and read with much: that is no fault of the grader."""

    def with_much_on_the_stack(calls: int) -> tuple[Packet, bool]:
        return with_much_on_the_stack(calls - 1) if calls else recall_code(request, path)

    history: list[object] = []
    for _ in range(800):
        history = [history]
    about = {"recipe": "0" * 32, "history": history, "stopped": False, "device": "cpu"}
    path = tmp_path / "code.safetensors"
    keep_code_training(Packet({"trainings": [about]}, {"0/probe0": torch.tensor(1.0)}), path)
    request = Packet({"recipe": "0" * 32}, {"probe0": torch.tensor(1.0)})
    assert path.stat().st_size
    assert with_much_on_the_stack(400) == (Packet(), False)


@pytest.mark.parametrize("report", [
    Packet(), Packet({"trainings": []}), Packet({"trainings": [1]}), Packet({"trainings": [{"recipe": "x"}]}),
    Packet({"trainings": {"a": 1}}), Packet({"trainings": [{"recipe": [], "history": {}, "stopped": 1}]}, {"0/probe0": torch.ones(3)}),
])  # fmt: skip
def test_what_a_hostile_kernel_reports_trains_nothing(report: Packet, tmp_path: Path) -> None:
    path = tmp_path / "code-1.safetensors"
    keep_code_training(report, path)
    assert recall_code(Packet({"recipe": "x"}), path)[0].tensors == {}
    assert path.read_bytes() == b""


def exchanged(x: torch.Tensor, word: int) -> torch.Tensor:
    """``x`` with its first word, two floats, and another one in each other's place."""
    words = x.clone().view(torch.int64).flatten()
    words[[0, word]] = words[[word, 0]]
    return words.view(x.dtype).view_as(x)


CHANGES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "other values": lambda x: x / 2,
    "other signs": lambda x: -x,
    "another sign for every other one": lambda x: x * (-1) ** torch.arange(28),
    "images in another order": lambda x: x.roll(1, dims=0),
    "two images in each other's place": lambda x: x[[1, 0, *range(2, len(x))]],
    "turned images": lambda x: x.mT,
    "mirrored images": lambda x: x.flip(2),
    "images moved by a pixel": lambda x: x.roll(1, dims=2),
    "one value of the last image": lambda x: torch.cat([x.flatten()[:-1], x.flatten()[:1]]).view_as(x),
    "two values of a row of the checksum": lambda x: exchanged(x, 1),
    "two values of a column of the checksum": lambda x: exchanged(x, finished.WORDS),
    "another shape": lambda x: x.flatten(1),
    "another type": lambda x: x.double(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("images", [3, 128])
def test_data_that_differ_are_told_apart(change: Callable[[torch.Tensor], torch.Tensor], images: int) -> None:
    x = torch.rand((images, 28, 28), generator=torch.Generator().manual_seed(0))
    assert finished.fingerprint(x.clone()) == finished.fingerprint(x)
    assert finished.fingerprint(change(x)) != finished.fingerprint(x)


def test_a_tensor_that_changed_is_not_taken_for_the_same() -> None:
    x = torch.zeros(100_000)
    before = finished.fingerprint(x)
    assert finished.fingerprint(x) == before
    x += 1
    assert finished.fingerprint(x) != before
    again = finished.fingerprint(x)
    x.numpy()[:] = 2  # torch does not know
    assert finished.fingerprint(x) != again


@pytest.mark.parametrize(("init", "usual"), [
    (lambda p: None, True), (nn.init.xavier_uniform_, True), (nn.init.kaiming_normal_, True),
    (nn.init.orthogonal_, True), (nn.init.zeros_, False), (nn.init.ones_, False), (nn.init.normal_, False),
])  # fmt: skip
def test_who_begins_with_unusual_weights_takes_over_no_training(
    init: Callable[[torch.Tensor], object], usual: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the weights are at first does not show in the probe, but a model may learn nothing from them."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                init(parameter)
    asked = []

    def judge(question: Packet) -> Packet:
        asked.append(question)
        return Packet()

    monkeypatch.setattr(finished, "_ask_judge", judge, raising=False)
    x, y = torch.rand(40, 28, 28), torch.arange(40) % 10
    loop = training.training_loop(lambda model, x, y, EPOCHS=0: training.ConvergenceHistory())
    finished.recall(training.TrainingRun(model, inspect.unwrap(loop), {"x": x, "y": y}))
    assert bool(asked) is usual


def test_a_damaged_training_is_done_anew(tmp_path: Path) -> None:
    """Everybody who needs it would train for himself, in every run."""
    report = Packet(
        {"trainings": [{"recipe": "a" * 32, "history": [1], "stopped": False, "device": "cpu"}]},
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
