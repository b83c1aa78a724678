"""A graphics card gives the same marks. These tests are skipped where there is none; `pytest -m gpu` runs no others.

Kernels in the sandbox see no graphics card: here they run without it, as for notebooks that a grader trusts.
"""

from pathlib import Path

import pytest
import torch
from corpus import assert_expected, combined, hand_in
from courses import grade

import course_lib
from course_lib.grading.demo import make_course
from course_lib.grading.demo_class import CLASS
from course_lib.grading.job import NotebookSpec

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no graphics card here"),
]


def grade_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, float]]:
    """The marks of a class whose kernels, several at a time, compute on the graphics card."""
    monkeypatch.setenv("COURSE_LIB_DEVICE", "cuda")
    with (folder / "nbgrader_config.py").open("a") as config:
        config.write("\nc.JudgedAutograde.protection = 'none'\nc.JudgedAutograde.workers = 3\n")
    return grade(folder)


def test_the_demo_class_gets_the_same_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_course(tmp_path / "course", CLASS)
    graded = grade_there(tmp_path / "course", monkeypatch)
    for situation in CLASS:
        wanted = situation.marks
        assert {name: graded[situation.name][name] for name in wanted} == wanted, situation.name


def test_the_corpus_gets_the_same_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: NotebookSpec) -> None:
    students = combined(trained=True)
    hand_in(tmp_path / "course", students)
    graded = grade_there(tmp_path / "course", monkeypatch)
    assert_expected(graded, students, spec)


def test_a_training_computes_there() -> None:
    """The whole of a model is on the card, its data too, and its loss falls."""
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
