"""Grading on a GPU gives the same marks as on the CPU. `pytest -m gpu` runs these tests; without a GPU they are skipped."""

from pathlib import Path

import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook
from safetensors import safe_open

import course_lib
from course_lib.assignment.spec import NotebookSpec
from course_lib.cli.demo import make_course
from course_lib.cli.demo_class import CLASS
from course_lib.judge.kernel_process import KernelSettings
from course_lib.judge.limits import Limits
from course_lib.judge.notebook_runner import NotebookRunner
from course_lib.judge.task import Device
from tests.corpus import assert_expected, combined, hand_in
from tests.support.code import code
from tests.support.courses import configure, marks, nbgrader

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU"),
]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("COURSE_LIB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def grade_on_the_gpu(folder: Path, *settings: str) -> dict[str, dict[str, float]]:
    """Grade a class whose models train on the GPU, several at a time; return the marks."""
    configure(folder, *(f"c.JudgedAutograde.{setting}" for setting in ("device = 'cuda'", "workers = 8", *settings)))
    assert nbgrader(folder, "generate_assignment", "mnist1").returncode == 0
    run = nbgrader(folder, "autograde", "mnist1")
    assert run.returncode == 0, run.stderr
    assert f"Models are trained on {torch.cuda.get_device_name()}" in run.stderr
    return marks(folder, "mnist1")


def devices(cache: Path) -> list[str]:
    """Return the device of each training in the cache."""
    found = []
    for path in sorted((cache / "trainings").glob("*.safetensors")):
        if path.stat().st_size:
            with safe_open(path, "pt") as stored:
                found.append(stored.metadata()["device"].strip('"'))
    return found


def assert_demo_marks(graded: dict[str, dict[str, float]]) -> None:
    """Check that each student of the demo class has the expected marks."""
    for situation in CLASS:
        wanted = situation.marks
        assert {name: graded[situation.name][name] for name in wanted} == wanted, situation.name


def test_the_demo_class_gets_the_same_marks(tmp_path: Path, cache: Path) -> None:
    make_course(tmp_path / "course", CLASS)
    assert_demo_marks(grade_on_the_gpu(tmp_path / "course"))
    assert set(devices(cache)) == {"cuda"}


def test_training_in_every_kernel_gives_the_same_marks(tmp_path: Path, cache: Path) -> None:
    make_course(tmp_path / "course", CLASS)
    assert_demo_marks(grade_on_the_gpu(tmp_path / "course", "train_once = False"))


def test_the_corpus_gets_the_same_marks(tmp_path: Path, cache: Path, spec: NotebookSpec) -> None:
    students = combined(trained=True)
    hand_in(tmp_path / "course", students)
    assert_expected(grade_on_the_gpu(tmp_path / "course"), students, spec)
    trained_on = devices(cache)
    assert trained_on.count("cuda") > len(trained_on) / 2, trained_on


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_kernel_sees_the_gpu_only_if_it_trains_on_it(library: Path, device: Device) -> None:
    look = code("""
        import os, torch
        print(torch.cuda.is_available(), any('nvidia' in n for n in os.listdir('/dev')))
    """)
    notebook = new_notebook(cells=[new_code_cell(look), new_code_cell("print(torch.ones(3, device='cuda').sum())")])
    with NotebookRunner(notebook, KernelSettings(library, Limits(), device=device)) as session:
        session.run_until(2)
    expected = "True True\n" if device == "cuda" else "False False\n"
    assert [o.text for o in notebook.cells[0].outputs] == [expected]
    assert (notebook.cells[1].outputs[0].output_type == "error") == (device == "cpu")


def test_a_training_runs_on_the_gpu() -> None:
    """Model and data are on the GPU, and the loss falls."""
    device = course_lib.choose_device()
    x, y = torch.rand(2048, 28, 28, device=device), torch.arange(2048, device=device) % 10
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10)).to(device)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    @course_lib.training_loop
    def fit(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, EPOCHS: int) -> course_lib.ConvergenceHistory:
        history = course_lib.ConvergenceHistory()
        for _ in range(EPOCHS):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            history.update(model, x, y, x, y)
        return history

    losses = fit(model, x, y, EPOCHS=20).history["val_loss"]
    assert losses[-1] < losses[0]
    assert all(p.device.type == device.type for p in model.parameters())
