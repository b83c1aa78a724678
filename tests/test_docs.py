"""The README and the documentation name what exists: commands, programs, settings, files, numbers."""

import os
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

import course_lib
import course_lib.authoring
from course_lib.judge.limits import Limits
from course_lib.nbgrader_plugins.settings import Settings
from tests.corpus import ANSWERS
from tests.support.accidents import accidents
from tests.support.attacks import attacks
from tests.support.courses import short_course

ROOT = Path(__file__).parents[1]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(ROOT.glob("docs/**/*.md"))}
TEXTS = {"README.md": (ROOT / "README.md").read_text()} | PAGES
PROGRAMS = ("course", "git", "jupyter", "make", "nbgrader", "pip", "pytest", "python")

FENCE = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
"""A block: its indentation, its language, its text."""

ELSEWHERE = {
    "git pull && make setup": ("Makefile", "\nsetup:"),
    "make check": ("Makefile", "\ncheck: setup docs\n"),
    "make demo": (".ci/run", 'make -C "$clone/kit" demo'),
    "make docs": ("Makefile", "\ndocs: setup\n\t$(BIN)/sphinx-build -W "),
    "make mutants": ("Makefile", "\nmutants: setup\n"),
    "make setup": ("Makefile", "\nsetup:"),
    "make test-long": ("Makefile", "\ntest-long:"),
    "make test": (".ci/run", "make test"),
    "jupyter lab": ("tests/support/browser.py", '"-m", "jupyterlab"'),
    "pip install torch torchvision matplotlib tqdm jupyter": ("tests/test_student_library.py", "matplotlib"),
    "pip install dask-jobqueue": ("docs/cluster-and-gpu.md", "from dask_jobqueue import SLURMCluster"),
    "pip install distributed": ("pyproject.toml", 'cluster = ["distributed"]'),
    "pip install course_lib-0.1.0-py3-none-any.whl": ("pyproject.toml", 'name = "course-lib"\nversion = "0.1.0"\n'),
    "pip wheel --no-deps .": ("pyproject.toml", "[build-system]"),
    "pytest -m gpu": ("pyproject.toml", '"gpu: '),
    "nbgrader autograde mnist1 --JudgedAutograde.scheduler": ("tests/test_cluster.py", "scheduler"),
    "nbgrader autograde mnist1 --JudgedAutograde.device": ("tests/test_grading_command.py", "no GPU"),
    "course demo demo": ("Makefile", "$(BIN)/course demo demo"),
    "course new exercise2": ("tests/test_new.py", "exercise2"),
    "course adopt mycourse": ("tests/test_course_command.py", '"adopt"'),
    "course harden ps1": ("tests/test_course_command.py", '"harden", "ps1"'),
    "course check": ("tests/test_course_check.py", '"--cell", "test_add"'),
    "cp -r docs/examples": ("tests/test_cookbook.py", "shutil.copytree"),
    "python -m benchmarks.": ("tests/test_docs.py", "def test_a_named_program_has_the_named_options"),
    "python -m tools.": ("tests/test_docs.py", "def test_a_named_program_has_the_named_options"),
    "python -m tests.corpus": ("tests/test_answers.py", "messages"),
    "nbgrader export --exporter=course_lib.nbgrader_plugins.exporters.NAME": ("tests/test_export.py", "Details"),
}
"""Commands that another place runs: how they begin, the file, and what stands there."""


def commands() -> list[str]:
    """The lines of bash blocks, and the texts between backticks that begin like a command; each once."""
    found: dict[str, None] = {}
    for text in TEXTS.values():
        blocks = [block for _, language, block in FENCE.findall(text) if language == "bash"]
        lines = [re.sub(r" {2,}# .*", "", line).strip() for block in blocks for line in block.splitlines()]
        for command in lines + re.findall(r"`([^`]+)`", FENCE.sub("", text)):
            if re.match(rf"(?:{'|'.join(PROGRAMS)}) \S", command):
                found[" ".join(command.split())] = None
    return [*found]


def test_commands_are_found() -> None:
    assert len(commands()) > 30


@pytest.mark.parametrize("page", TEXTS)
def test_every_block_names_its_language(page: str) -> None:
    """A command in a block without a language would not be tested."""
    languages = {language for _, language, _ in FENCE.findall(TEXTS[page])}
    assert languages <= {"bash", "python", "text", "{toctree}", "{eval-rst}", "{literalinclude}", "{warning}"}
    assert not re.search(r"^(?! *[-\d]).*\n\n {4}\S", FENCE.sub("", TEXTS[page]), re.MULTILINE), "an indented block"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "course"
    short_course(folder)
    archive = folder / "downloaded" / "mnist1" / "archive"
    archive.mkdir(parents=True)
    with zipfile.ZipFile(archive / "mnist1.zip", "w") as download:
        name = "Élodie Dupont_1234567_assignsubmission_file_/mnist1.ipynb"
        download.write(folder / "submitted" / "anna" / "mnist1" / "mnist1.ipynb", name)
    return folder


@pytest.mark.parametrize("command", commands())
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


def test_a_named_program_has_the_named_options() -> None:
    named = [
        match
        for match in (re.match(r"python -m (benchmarks|tools)\.(\w+)(.*)", command) for command in commands())
        if match
    ]
    named += [match for text in TEXTS.values() for match in re.finditer(r"`(benchmarks|tools)/(\w+)\.py()`", text)]
    assert len(named) > 4
    for _, name, options in (match.groups() for match in named):
        [path] = [path for folder in ("benchmarks", "tools") for path in ROOT.glob(f"{folder}/{name}.py")]
        code = path.read_text()
        assert all(f'"{option}"' in code for option in re.findall(r"--[\w-]+", options)), name


def test_the_readme_only_opens_the_door() -> None:
    readme = TEXTS["README.md"]
    assert len(readme.splitlines()) <= 100
    assert set(re.findall(r"\((docs/[^)#]+)", readme)) >= {page for page in PAGES if "/api/" not in page}


def test_links_of_the_readme_lead_somewhere() -> None:
    """Sphinx checks the links of the other pages."""
    assert all((ROOT / place).exists() for place in re.findall(r"\]\((?!https?:)([^)#]+)", TEXTS["README.md"]))


def named_files() -> Iterator[str]:
    """The paths in the text that begin with one of the project's folders; those with a placeholder are left out."""
    for text in TEXTS.values():
        yield from re.findall(r"`((?:course_lib|docs|grader_tests|source|tests)/[\w./-]*)`", FENCE.sub("", text))


def test_named_files_exist() -> None:
    assert [name for name in named_files() if name != "docs/_build/html" and not (ROOT / name).exists()] == []


def test_answers_attacks_and_accidents_are_counted() -> None:
    right = sum(answer.is_right for answer in ANSWERS)
    actual = {
        "right answers": right, "wrong answers": len(ANSWERS) - right, "attacks": len(attacks()),
        "honest mistakes": len(accidents()),
    }  # fmt: skip
    text = "\n".join(TEXTS.values())
    for what, number in actual.items():
        assert {int(count) for count in re.findall(rf"(\d+) {what}", text)} == {number}, what
    assert f"| right answers that earn full marks | {right} of {right} |" in text
    assert f"give the student the reason | {len(ANSWERS) - right} of {len(ANSWERS) - right} |" in text
    for what, number in {"[Aa]ttacks": len(attacks()), "[Hh]onest mistakes": len(accidents())}.items():
        counts = re.findall(rf"^[-|] {what} [^|\n]*?[:|] \d+ of (\d+)\b", text, re.MULTILINE)
        assert counts == [str(number)] * 2, what  # in the README and in the measurements


def test_examples_import_what_exists() -> None:
    blocks = [block for text in TEXTS.values() for _, language, block in FENCE.findall(text) if language == "python"]
    imports = {
        line for block in blocks for line in re.findall(r"^ *((?:from|import) course_lib.*)", block, re.MULTILINE)
    }
    assert len(imports) > 3
    for line in imports:
        exec(line, {})


def rows(page: str, heading: str) -> dict[str, str]:
    """The first two columns of the table below a heading, without their backticks."""
    section = TEXTS[page].split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return dict(re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", section, re.MULTILINE))


def test_every_setting_has_its_default_in_the_table() -> None:
    own = {
        name: trait.default() for name, trait in Settings.class_traits(config=True).items() if name in vars(Settings)
    }
    told = {name: eval(default) for name, default in rows("docs/settings.md", "`c.JudgedAutograde`").items()}
    assert told == own


def test_every_limit_has_its_default_in_the_table() -> None:
    told = {name: eval(default) for name, default in rows("docs/settings.md", "Limits").items()}
    assert told == {field.name: field.default for field in fields(Limits)}


def test_students_read_about_every_public_name() -> None:
    page = TEXTS["docs/api/students.md"]
    assert [name for name in course_lib.__all__ if not re.search(rf"[: `]{name}\b", page)] == []
