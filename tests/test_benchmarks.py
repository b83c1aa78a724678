"""The benchmarks start; `make test-long` runs on a little of their work those that write nothing into the project."""

import re
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


def test_the_readme_names_benchmarks_and_options_that_there_are(root: Path) -> None:
    named = re.findall(r"`(?:python benchmarks/)?(\w+\.py)((?: --[\w-]+(?: \w+)*)*)`", (root / "README.md").read_text())
    of_benchmarks = [(name, options) for name, options in named if name != "nbgrader_config.py"]
    assert len(of_benchmarks) > 3
    for name, options in of_benchmarks:
        text = (root / "benchmarks" / name).read_text()
        assert all(f'"{option}"' in text for option in re.findall(r"--[\w-]+", options)), name


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
