"""Only what decides a mark is in the key of the result cache."""

import shutil
from pathlib import Path

import pytest

from course_lib.execution import cache_key
from course_lib.files import PACKAGE

SHOWS_MARKS = ("cli/doctor.py", "execution/executors.py", "nbgrader_plugins/exchange.py", "records/class_record.py",
               "reports/class_report.py", "reports/templates/report.html.jinja")  # fmt: skip
DECIDES_MARKS = ("checks.py", "messages.py", "assignment/loader.py", "authoring/expectations.py", "results/result.py", "judge/pipeline.py",
                 "kernel/responder.py", "reference/mnist1.py", "mnist_files/t10k-labels-idx1-ubyte.gz")  # fmt: skip


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of course_lib that may be changed."""
    copy = tmp_path / "course_lib"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(cache_key, "PACKAGE", copy)
    return copy


@pytest.mark.parametrize("name", SHOWS_MARKS)
def test_code_that_shows_marks_is_not_in_the_key(package: Path, name: str) -> None:
    before, all_code = cache_key.versions(), cache_key.versions(all_code=True)
    with (package / name).open("r+b") as file:
        file.seek(0, 2)
        file.write(b"\n# changed")
    assert cache_key.versions() == before
    assert cache_key.versions(all_code=True) != all_code, "a cluster's workers need the same code"


@pytest.mark.parametrize("name", DECIDES_MARKS)
def test_code_that_decides_marks_is_in_the_key(package: Path, name: str) -> None:
    before = cache_key.versions()
    with (package / name).open("r+b") as file:
        file.seek(0, 2)
        file.write(b"\n# changed")
    assert cache_key.versions() != before


def test_every_folder_either_decides_or_shows_marks() -> None:
    """A new folder must be put on one of the two sides."""
    shows = {Path(name).parts[0] for name in SHOWS_MARKS}
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == shows | set(cache_key.MARK_DECIDING_FOLDERS)
