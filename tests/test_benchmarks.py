"""The benchmarks start; `make test-long` runs on a little of their work those that write nothing into the project."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ALL = ("attacks.py", "calibrate.py", "grading.py", "mutants.py", "training.py")

A_LITTLE = {
    "attacks.py": ["--only", "lying_eq"],
    "mutants.py": ["--cells", "dimensions"],
    "training.py": ["--epochs", "1", "--repeat", "1"],
}


def run(root: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, f"benchmarks/{command[0]}", *command[1:]],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_benchmark_is_known(root: Path) -> None:
    assert {path.name for path in (root / "benchmarks").glob("*.py")} == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_a_benchmark_says_how_it_is_used(
    root: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = root / "benchmarks" / name
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    monkeypatch.syspath_prepend(path.parent)
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(str(path), run_name="__main__")  # here: another process would import torch again
    assert "usage:" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.parametrize("name", A_LITTLE)
def test_a_benchmark_measures(root: Path, name: str) -> None:
    assert any(letter.isdigit() for letter in run(root, name, *A_LITTLE[name]))
