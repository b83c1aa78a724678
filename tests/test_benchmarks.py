"""The benchmarks and tools start. `make test-long` also runs a little of those that write nothing into the project."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = (
    "benchmarks.attacks",
    "benchmarks.classic",
    "benchmarks.grading",
    "benchmarks.probes",
    "benchmarks.training",
    "tools.calibrate",
    "tools.mutants",
)

A_LITTLE = {
    "benchmarks.attacks": ["--only", "lying_eq"],
    "benchmarks.classic": ["--size", "2", "--stock", "1"],
    "benchmarks.probes": [],
    "benchmarks.training": ["--epochs", "1", "--repeat", "1"],
    "tools.mutants": ["--cells", "dimensions"],
}


def test_every_program_is_known(root: Path) -> None:
    paths = [path for folder in ("benchmarks", "tools") for path in (root / folder).glob("[!_]*.py")]
    assert {f"{path.parent.name}.{path.stem}" for path in paths} == set(PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_says_how_it_is_used(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [program, "--help"])
    monkeypatch.delitem(sys.modules, program, raising=False)  # another program may have imported it
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module(program, run_name="__main__")  # in this process, because another one would import torch again
    usage = capsys.readouterr().out
    assert "usage:" in usage
    assert f"python -m {program}" in usage


@pytest.mark.long
@pytest.mark.parametrize("program", A_LITTLE)
def test_a_program_measures(root: Path, program: str) -> None:
    command = [sys.executable, "-m", program, *A_LITTLE[program]]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert re.search(r"\d", run.stdout)
