"""Every command that the README and the pages beside it name is one that works."""

import os
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from corpus import ANSWERS
from courses import short_course
from tiny_course import accidents, attacks

ROOT = Path(__file__).parents[1]
PROGRAMS = ("course", "jupyter", "make", "nbgrader", "pip", "python")

ELSEWHERE = {
    "make demo": (".ci/run", 'make -C "$clone/kit" demo'),
    "make mutants": ("Makefile", "\nmutants: setup\n\t$(BIN)/python benchmarks/mutants.py\n"),
    "make setup": ("Makefile", "\nsetup:"),
    "make test-long": ("Makefile", "\ntest-long:"),
    "make test": (".ci/run", "make test"),
    "jupyter lab": ("tests/browser.py", '"-m", "jupyterlab"'),
    "pip install torch torchvision matplotlib tqdm jupyter": ("tests/test_student_library.py", "matplotlib"),
    "pip install dask-jobqueue": ("README.md", "from dask_jobqueue import SLURMCluster"),
    "pip install distributed": ("pyproject.toml", 'cluster = ["distributed"]'),
    "nbgrader autograde mnist1 --JudgedAutograde.scheduler": ("tests/test_cluster.py", "scheduler"),
    "nbgrader autograde mnist1 --JudgedAutograde.device": ("tests/test_grading_command.py", "no graphics card"),
    "course new exercise2": ("tests/test_new.py", "exercise2"),
    "course COMMAND --help": ("tests/test_course_command.py", "--help"),
    "python benchmarks/": ("tests/test_benchmarks.py", "benchmarks"),
    "python tests/corpus.py": ("tests/test_answers.py", "messages"),
    "nbgrader export --exporter=course_lib.nbgrader_plugins.exporters.NAME": ("tests/test_export.py", "Details"),
}
"""Commands that another place runs: how they begin, the file, and what stands there."""


def commands() -> Iterator[str]:
    """What stands in a block of commands, or in the text between backticks and begins like a command."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        found = re.findall(r"^ {4}(.+?)(?: {2,}# .*)?$", text, re.MULTILINE) + re.findall(r"`([^`]+)`", text)
        for command in found:
            if re.match(rf"(?:{'|'.join(PROGRAMS)}) \S", command):
                yield " ".join(command.split())


def test_commands_are_found() -> None:
    assert len(set(commands())) > 15


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme") / "course"
    short_course(folder)
    archive = folder / "downloaded" / "mnist1" / "archive"
    archive.mkdir(parents=True)
    with zipfile.ZipFile(archive / "mnist1.zip", "w") as download:
        name = "Élodie Dupont_1234567_assignsubmission_file_/mnist1.ipynb"
        download.write(folder / "submitted" / "anna" / "mnist1" / "mnist1.ipynb", name)
    return folder


@pytest.mark.parametrize("command", dict.fromkeys(commands()))
def test_a_command_of_the_documentation_works(course: Path, command: str) -> None:
    for beginning, (place, words) in ELSEWHERE.items():
        if command.startswith(beginning):
            assert words in (ROOT / place).read_text()
            return
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        shlex.split(command), cwd=course, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr


def test_the_readme_counts_answers_attacks_and_accidents_as_they_are() -> None:
    text = (ROOT / "README.md").read_text()
    right = sum(answer.is_right for answer in ANSWERS)
    wrong = len(ANSWERS) - right
    assert f"| right answers that earn full marks | {right} of {right} |" in text
    assert f"are told why | {wrong} of {wrong} |" in text
    assert f"Of {len(attacks())} attacks, " in text
    assert f" of {len(accidents())} accidents,\n" in text
