"""The cache of finished trainings: its files answer only the request that they were made for."""

import base64
import json
import os
import re
import shutil
import sys
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_output
from safetensors.torch import save

from course_lib.assignment.spec import NotebookSpec
from course_lib.files import PACKAGE
from course_lib.judge import training_cache
from course_lib.judge.source_run import given_pictures
from course_lib.judge.task import is_complete
from course_lib.judge.training_cache import (
    code_name,
    find_training,
    is_stored,
    keep_code_training,
    keep_figures,
    keep_trainings,
    load_training,
)
from course_lib.kernel.wire import Packet
from tests.support.courses import find


def cells(*sources: str) -> list[nbformat.NotebookNode]:
    return [new_code_cell(source) for source in sources]


def test_the_pictures_of_answers_are_not_kept(spec: NotebookSpec, tmp_path: Path) -> None:
    notebook = nbformat.from_dict(deepcopy(spec.source))
    pictures = [b"given", b"answer"]
    for name, picture in zip(("look", "one_hot"), pictures, strict=True):
        find(notebook, name).outputs = [new_output("display_data", {"image/png": base64.b64encode(picture).decode()})]
    report = Packet(
        {"figures": ["0", "1"]},
        {f"figure{i}": torch.tensor(list(p), dtype=torch.uint8) for i, p in enumerate(pictures)},
    )
    keep_figures(report, given_pictures(notebook), tmp_path)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"given"]


def test_equal_code_has_the_same_name_despite_comments() -> None:
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


@pytest.mark.parametrize(
    "module",
    [
        "training",
        "fast_cpu",
        *(f"kernel/{name}" for name in ("fingerprint", "model_behaviour", "model_state", "training_reuse")),
    ],
)
def test_trainings_of_another_library_are_not_looked_for(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = code_name(cells("x = 1"), 0.9)
    shutil.copytree(PACKAGE, tmp_path / "course_lib", ignore=shutil.ignore_patterns("mnist_files"))
    with monkeypatch.context() as patch:
        patch.setattr(training_cache, "PACKAGE", tmp_path / "course_lib")
        assert code_name(cells("x = 1"), 0.9) == name
        (tmp_path / "course_lib" / f"{module}.py").write_text("# another version")
        assert code_name(cells("x = 1"), 0.9) != name
    monkeypatch.setattr(training_cache, "version", lambda package: "2.0")
    assert code_name(cells("x = 1"), 0.9) != name


def test_a_deep_history_trains_nothing(tmp_path: Path) -> None:
    """It is written with a small stack and read with a deep one; that must not count as a fault of the grader.

    From Python 3.12 on, json does not depend on the stack, and reads it.
    """

    def with_much_on_the_stack(calls: int) -> tuple[Packet, bool]:
        return with_much_on_the_stack(calls - 1) if calls else load_training(request, path)

    history: list[object] = []
    for _ in range(800):
        history = [history]
    about = {"recipe": "0" * 32, "history": history, "stopped": False, "device": "cpu", "training": True}
    path = tmp_path / "code.safetensors"
    keep_code_training(Packet({"trainings": [about]}, {"0/behaviour0": torch.tensor(1.0)}), path)
    request = Packet({"recipe": "0" * 32}, {"behaviour0": torch.tensor(1.0)})
    assert path.stat().st_size
    read = Packet({"history": json.dumps(history), "training": True}) if sys.version_info >= (3, 12) else Packet()
    assert with_much_on_the_stack(400) == (read, False)


@pytest.mark.parametrize("report", [
    Packet(), Packet({"trainings": []}), Packet({"trainings": [1]}), Packet({"trainings": [{"recipe": "x"}]}),
    Packet({"trainings": {"a": 1}}), Packet({"trainings": [{"recipe": [], "history": {}, "stopped": 1}]}, {"0/behaviour0": torch.ones(3)}),
])  # fmt: skip
def test_a_hostile_report_trains_nothing(report: Packet, tmp_path: Path) -> None:
    path = tmp_path / "code-1.safetensors"
    keep_code_training(report, path)
    assert load_training(Packet({"recipe": "x"}), path)[0].tensors == {}
    assert path.read_bytes() == b""


def test_a_stored_training_answers_only_its_own_request(tmp_path: Path) -> None:
    """A student's kernel writes the request, and may ask under any name."""
    recipe, ones, path = "a" * 32, torch.ones(1), tmp_path / "code-0.safetensors"
    one = {"recipe": recipe, "history": [1], "stopped": True, "device": "cpu", "training": True}
    tensors = {f"{n}/{name}": (n + 1) * ones for n in range(2) for name in ("behaviour0", "weight")}
    report = Packet({"trainings": [one, one]}, tensors)
    assert len(set(keep_trainings(report, tmp_path)[0])) == 2, "of two models, both are kept"
    keep_code_training(report, path)
    os.utime(path, (0, 0))
    found, ended_early = load_training(Packet({"recipe": recipe}, {"behaviour0": 2 * ones}), path)
    assert (found.tensors, ended_early) == ({"weight": 2 * ones}, True)
    assert path.stat().st_mtime, "the file counts as used"
    others = [
        ("b" * 32, [2 * ones]),
        *((recipe, of) for of in ([], [2.01 * ones], [2 * torch.ones(3)], [2 * ones] * 2)),
    ]
    for other, values in others:
        request = Packet({"recipe": other}, {f"behaviour{i}": value for i, value in enumerate(values)})
        assert load_training(request, path) == (Packet(), False)
    path.write_bytes(save({"behaviour0": ones}, metadata={"recipe": f'"{recipe}"'}))  # written by an older course_lib
    assert load_training(Packet({"recipe": recipe}, {"behaviour0": ones}), path) == (Packet(), False)
    keep_code_training(
        Packet({"trainings": [one | {"recipe": "code"}]}, {"0/behaviour0": ones, "0/weight": ones}), path
    )
    for recipe in ("code", "*", "/code", "../code"):
        assert find_training(Packet({"recipe": recipe}, {"behaviour0": ones}), tmp_path) == (Packet(), "")


def test_a_damaged_training_is_repeated(tmp_path: Path) -> None:
    """Otherwise every student who needs it would train the model, in every run."""
    report = Packet(
        {"trainings": [{"recipe": "a" * 32, "history": [1], "stopped": False, "device": "cpu", "training": True}]},
        {"0/behaviour0": torch.ones(1), "0/weight": torch.ones(1000)},
    )
    [[name], _] = keep_trainings(report, tmp_path)
    by_code = tmp_path / "code-0.safetensors"
    keep_code_training(report, by_code)
    assert is_complete(tmp_path / name)
    assert is_stored(by_code)
    for path in (tmp_path / name, by_code):
        path.write_bytes(path.read_bytes()[:-100])
    assert not is_complete(tmp_path / name)
    assert not is_stored(by_code)
    keep_code_training(Packet(), by_code)
    assert is_stored(by_code), "it trains nothing"


def test_an_unreadable_training_counts_as_none(tmp_path: Path) -> None:
    """Otherwise it would be repeated without end: safetensors reserves this name of a tensor."""
    one = {"recipe": "a" * 32, "history": [1], "stopped": False, "device": "cpu", "training": True}
    path = tmp_path / "code-0.safetensors"
    keep_code_training(
        Packet({"trainings": [one]}, {"0/behaviour0": torch.ones(1), "0/__metadata__": torch.ones(1)}), path
    )
    assert is_stored(path)
