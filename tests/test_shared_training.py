"""Equal models are trained once, and the marks are those of full trainings. No student's training reaches another answer."""

import shutil
import threading
import time
from collections import defaultdict
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock
from nbformat.v4 import new_code_cell, new_notebook
from safetensors.torch import save

from course_lib.assignment.spec import NotebookSpec
from course_lib.judge import pipeline, shared_training
from course_lib.judge.limits import Limits
from course_lib.judge.outcomes import Finished, NeedsTraining, Outcome
from course_lib.judge.task import GradingTask
from course_lib.kernel.wire import Packet
from course_lib.results.errors import GraderError
from tests.support.courses import ONE_THREAD, configure, marks, nbgrader
from tests.support.tiny_course import PYTHON, cell

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
from course_lib.authoring.hidden_test import hidden_test

def data():
    torch.manual_seed(0)
    y = torch.arange(600) % 2
    return torch.randn(600, 2) + 1.5 * (2 * y[:, None] - 1), y

@hidden_test(1, fr="net est exact.", en="net is accurate.", accuracy=0.9)
def test_accurate(student):
    x, y = data()
    assert (student.forward("net", x, shape=(len(x), 2)).outputs.argmax(1) == y).float().mean() >= 0.9
"""
SURE = """
@hidden_test(1, fr="net est sûr de lui.", en="net is sure.")
def test_sure(student):
    x, y = data()
    assert torch.nn.functional.cross_entropy(student.forward("net", x, shape=(len(x), 2)).outputs, y) < 0.2
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


@pytest.mark.long
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
def test_training_each_time_gives_the_same_marks(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
from course_lib.grading_hooks import hooks
from course_lib.kernel import training_reuse
from course_lib.kernel.model_state import left_as_it_was
report, recall = training_reuse.report, hooks.recall_training
def poisoned():
    packet = report()
    for one in packet.fields.get("trainings", []):
        one["stopped"] = False
    packet.tensors = {name: value if "behaviour" in name else 0 * value for name, value in packet.tensors.items()}
    return packet
def unimpressed(run):
    with left_as_it_was(run.model):
        recall(run)
training_reuse.report, hooks.recall_training = poisoned, unimpressed
"""
"""Leaves weights of zero for others, and trains for itself."""


@pytest.mark.long
def test_a_comment_cannot_hide_code_that_trains_for_others(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IPython ends a line at U+2028 and rewrites a shell command, so the text after it is no longer a comment."""
    monkeypatch.setenv("COURSE_LIB_CACHE", str(tmp_path / "cache"))
    right = NET.format("torch.tanh")
    students = {"a attacker": (f"{right}\n# mine\u2028!true\u2028exec({POISON!r})", ()), "b classmate": (right, ())}
    make(tmp_path / "course", root, ACCURATE, 1, students)
    assert grade(tmp_path / "course") == {"a attacker": 1, "b classmate": 1}


def test_the_time_of_a_training_on_a_card_counts(
    spec: NotebookSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it counts, unless it fails at once: code that waits only on a card would have twice the time."""

    def trained(task: GradingTask, needed: NeedsTraining, device: str) -> Packet:
        time.sleep(waits[device])
        if device == "cuda":
            raise GraderError
        return Packet()

    monkeypatch.setattr(shared_training, "train_alone", trained)
    counted = []
    for on_a_card in (0.2, 0.5):
        waits = {"cuda": on_a_card, "cpu": 0.1}
        needed, seconds = NeedsTraining([], None, tmp_path / f"{on_a_card}"), defaultdict[str, float](float)
        task = GradingTask(spec, "", tmp_path, tmp_path, Limits(training=4), "fr", device="cuda")
        shared_training.train(task, needed, seconds)
        counted.append(seconds["training"])
    assert counted[0] < 0.2
    assert counted[1] >= 0.6


@pytest.mark.long
def test_what_fails_on_a_gpu_is_trained_on_the_cpu(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other students' code may have taken the card's memory; here, the model itself refuses the card."""
    cache, folder = tmp_path / "cache", tmp_path / "course"
    monkeypatch.setenv("COURSE_LIB_CACHE", str(cache))
    picky = NET.format("torch.sigmoid").replace(
        "super()", "import os; assert os.environ['COURSE_LIB_DEVICE'] == 'cpu'\n        super()"
    )
    students = {"on anything": NET.format("torch.tanh"), "on the CPU": picky}
    make(folder, root, ACCURATE, 1, {name: (code, ()) for name, code in students.items()})
    one = "open_run.gpu_name = lambda protection: 'one'"
    configure(folder, "from course_lib.execution import open_run", one)
    options = ("--JudgedAutograde.device=cuda", "--JudgedAutograde.language=en")
    assert grade(folder, *options) == {"on anything": 1, "on the CPU": 1}
    assert trained(cache) == [True, True]


def test_a_worker_that_waited_does_not_train_again(
    spec: NotebookSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers may both find that a model is not trained yet: the second one waits, and then has the training."""
    path = tmp_path / "training.safetensors"
    needed = NeedsTraining([], None, path)
    monkeypatch.setattr(shared_training, "train_alone", lambda *_: pytest.fail("it trains again"))

    class Busy(threading.Thread):
        def run(self) -> None:
            with FileLock(path.with_name(f"{path.stem[-2:]}.lock")):
                started.set()
                time.sleep(0.5)
                path.write_bytes(save({}))  # trained meanwhile

    started = threading.Event()
    Busy().start()
    started.wait()
    task = GradingTask(spec, "", tmp_path, tmp_path, Limits(), "fr")
    shared_training.train(task, needed, defaultdict(float))


def test_all_runs_of_a_notebook_share_its_time(
    spec: NotebookSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runs before a training, the training and the run after it."""
    left: list[float] = []

    def run(task: GradingTask, notebook: object, early: bool, seconds: dict[str, float]) -> Outcome:
        left.append(task.limits.submission)
        seconds["cells"] += 10
        return NeedsTraining([], None, tmp_path) if len(left) < 3 else Finished(notebook, {}, [], [])

    def train(task: GradingTask, needed: object, seconds: dict[str, float]) -> None:
        assert task.limits.submission == left[-1]
        seconds["training"] += 5

    monkeypatch.setattr(pipeline, "run_notebook", run)
    monkeypatch.setattr(pipeline, "train", train)
    task = GradingTask(spec, b"", tmp_path, tmp_path, Limits(submission=100), "fr")
    pipeline.run_with_trainings(task, spec.skeleton, defaultdict(float))
    assert left == [100, 85, 70]
