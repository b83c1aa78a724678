"""The result cache keeps a result under a hash of everything it depends on, and gives back only whole results."""

import copy
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from course_lib.assignment.loader import load_assignment
from course_lib.execution.cache_key import assignment_digest, times_of_tests, versions
from course_lib.execution.result_cache import ResultCache, shrink
from course_lib.judge.limits import Limits
from course_lib.judge.task import GradedNotebook
from course_lib.messages import Text
from course_lib.results.result import CellResult, NotebookResult, TestResult, Verdict
from tests.support.tiny_course import make_course


def test_the_key_depends_on_files_behind_links(tmp_path: Path) -> None:
    """Kernels and hidden tests can read the files in a linked folder."""
    make_course(tmp_path / "course", {})
    source, tests = tmp_path / "course" / "source" / "tiny", tmp_path / "course" / "grader_tests" / "tiny"
    keys = set()
    common = tests.with_name("common.py")  # the hidden tests of every assignment can import it
    for content in ("", "x = 1"):
        common.write_text(content)
        [spec] = load_assignment(source, tests)
        keys.add(assignment_digest(spec, source, Limits(), versions()))
        assert common in times_of_tests([spec])
    for linked in (source / "data", tests / "helpers"):
        shared = tmp_path / linked.name
        shared.mkdir()
        linked.symlink_to(shared)
        for numbers in ("1", "2"):
            (shared / "numbers.txt").write_text(numbers)
            [spec] = load_assignment(source, tests)
            keys.add(assignment_digest(spec, source, Limits(), versions()))
    assert len(keys) == 6


def test_the_key_depends_on_everything_that_decides_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_course(tmp_path, {})
    source = tmp_path / "source" / "tiny"
    [spec] = load_assignment(source, tmp_path / "grader_tests" / "tiny")
    data = source / "data.csv"
    data.write_text("1")

    def key(cell: float = 1, threads: int = 0, language: str = "fr", change: Callable[..., None] | None = None) -> str:
        changed = copy.deepcopy(spec)
        if change is not None:
            change(changed)
        return assignment_digest(changed, source, Limits(cell=cell, threads=threads), versions(), language=language)

    def key_with(target: str, value: object) -> str:
        with monkeypatch.context() as patch:
            patch.setattr(target, value)
            return key()

    (tmp_path / "kit").mkdir()
    keys = {
        "this": key(),
        "limits": key(cell=7),
        "settings": key(language="en"),
        "source": key(change=lambda changed: changed.source.cells[1].update(source="another answer")),
        "skeleton": key(change=lambda changed: changed.skeleton.cells[1].update(source="another stub")),
        "packages": key_with("course_lib.execution.cache_key.version", lambda name: "0.1"),
        "course_lib": key_with("course_lib.execution.cache_key.PACKAGE", tmp_path / "kit"),
    }
    data.rename(data.with_name("other.csv"))
    keys["name of a file"] = key()
    data.with_name("other.csv").rename(data)
    assert len(set(keys.values())) == len(keys)
    for junk in (".ipynb_checkpoints/tiny-checkpoint.txt", "__pycache__/helpers.pyc", ".DS_Store"):
        (source / junk).parent.mkdir(exist_ok=True)
        (source / junk).touch()
    assert key(threads=3) == keys["this"], "the number of threads changes no mark"


def a_result(size: int) -> GradedNotebook:
    test = TestResult("test_it", 2.0, Text("français", "English"), Verdict.ERROR, "détail", "note")
    result = NotebookResult([CellResult("cell", [test])], ["réparé"], protection="bubblewrap", phases={"cells": 1.5})
    return GradedNotebook("é" * size, result, {"cell"}, ["training"])


def test_a_cached_result_comes_back_unchanged(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path)
    cache.put("key", a_result(3))
    assert cache.get("key") == a_result(3)
    assert cache.get("other") is None


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "[" * 100_000, '{"notebook": 1}', '{"result": {"cells": [1]}}', "\udcff"]
)
def test_a_damaged_result_is_not_given_back(tmp_path: Path, damage: str) -> None:
    cache = ResultCache(tmp_path)
    (tmp_path / "key.json").write_text(damage, errors="surrogateescape")
    assert cache.get("key") is None


def test_the_result_of_another_submission_is_not_given_back(tmp_path: Path) -> None:
    """A copy, a synchronization or a disk repair may put a file under a wrong name: nobody gets its marks."""
    cache = ResultCache(tmp_path)
    cache.put("one", a_result(3))
    shutil.copy(tmp_path / "one.json", tmp_path / "other.json")
    assert cache.get("one") == a_result(3)
    assert cache.get("other") is None


def test_a_full_cache_keeps_what_was_used_last(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path)
    for i in range(10):
        cache.put(str(i), a_result(10_000))
    cache.get("3")
    shrink(tmp_path, sum(path.stat().st_size for path in tmp_path.iterdir()) // 5)
    assert cache.get("3") is not None
    assert sum(cache.get(str(i)) is not None for i in range(10)) == 2


def test_two_commands_may_empty_one_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All courses share the trainings and figures, and their lock files, which are kept."""
    (tmp_path / "00.lock").write_text("x" * 100)
    for name in ("gone before a look", "gone after it", "here"):
        (tmp_path / name).write_text(name)
    is_file, unlink = Path.is_file, Path.unlink

    def look(path: Path) -> bool:
        if path.name == "gone before a look":
            raise FileNotFoundError(path)
        return is_file(path)

    def remove(path: Path, missing_ok: bool = False) -> None:
        if path.name == "gone after it":
            unlink(path)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "is_file", look)
    monkeypatch.setattr(Path, "unlink", remove)
    shrink(tmp_path, 0)
    assert {path.name for path in tmp_path.iterdir()} == {"00.lock", "gone before a look"}
