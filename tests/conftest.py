"""Fixtures and settings of all tests."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
import torch

from course_lib.assignment.loader import load_notebook_spec
from course_lib.assignment.spec import NotebookSpec
from course_lib.judge.sandbox import write_kernel_library
from course_lib.messages import set_language
from tests.support.browser import Browser

matplotlib.use("agg")
torch.set_num_threads(1)  # tests run on every core at once: more threads would wait for each other

collect_ignore = ["answers", "attacks", "data"]
"""Files that tests read: pytest looks for no tests in them, even if one is called `test_*.py`."""

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def french() -> Iterator[None]:
    """Start each test in the default language."""
    set_language("fr")
    yield
    set_language("fr")


@pytest.fixture
def alembic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put alembic on the path, because nbgrader runs it by its name to make a gradebook."""
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def spec() -> NotebookSpec:
    """The notebook of ``mnist1``."""
    return load_notebook_spec(ROOT / "source" / "mnist1" / "mnist1.ipynb", ROOT / "grader_tests" / "mnist1")


@pytest.fixture(scope="session")
def library() -> Iterator[Path]:
    """The folder from which a student's kernel imports ``course_lib``."""
    with tempfile.TemporaryDirectory() as folder:
        yield write_kernel_library(Path(folder))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A window of Chromium."""
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.driver.quit()
