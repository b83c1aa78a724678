"""A tiny assignment, and courses that hold it.

A student writes two functions: ``add(x)`` for 2 points and ``mean(t)`` for 1 point. It is graded in about a second,
because nothing is trained. `tests.support.attacks` and `tests.support.accidents` are submissions to it.
"""

import functools
import json
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.support.code import code
from tests.support.courses import nbgrader

ROOT = Path(__file__).parents[2]

CANARY = "canary_7c1e9d"
"""Every secret contains this word: the hidden tests, the source's answers, the grader's environment."""

ADD = code("""
    def add(x):
        return x + 1
""")
MEAN = code("""
    def mean(t):
        return t.mean()
""")
WRONG_ANSWER = code("""
    def add(x):
        return 0.0
""")

HONEST = {"test_add": 2.0, "test_mean": 1.0}
"""Marks of a student whose two answers are right."""
WRONG_ADD = {"test_add": 0.0, "test_mean": 1.0}
"""Marks of a student whose ``add`` is wrong."""

PYTHON = {"name": "python3", "display_name": "Python 3", "language": "python"}
"""The kernel in the metadata of a notebook."""

HIDDEN_TESTS = {
    "test_add": code(f"""
        # {CANARY}_test
        from course_lib.authoring.hidden_test import hidden_test

        @hidden_test(1.5, fr="add ajoute 1.", en="add adds 1.")
        def test_adds_one(student):
            secret = "{CANARY}_test"
            for x in (40.25, -7.5, 3.0):
                assert student.number("add", x) == x + 1, secret

        @hidden_test(0.5, fr="add ajoute 1 aux grands nombres.", en="add adds 1 to large numbers.")
        def test_adds_one_to_a_large_number(student):
            assert student.number("add", 1e6) == 1e6 + 1
    """),
    "test_mean": code(f"""
        # {CANARY}_test
        import torch
        from course_lib.authoring.hidden_test import hidden_test

        @hidden_test(1, fr="mean donne la moyenne.", en="mean gives the mean.")
        def test_mean(student):
            t = torch.arange(7.0)
            assert student.number("mean", t) == 3.0
    """),
}
"""The files in ``grader_tests/tiny``, by grade cell."""

STOCK_TESTS = {
    "test_add": code(f"""
        ### BEGIN HIDDEN TESTS
        # {CANARY}_test
        assert add(40.25) == 41.25
        assert add(-7.5) == -6.5
        ### END HIDDEN TESTS
    """),
    "test_mean": code(f"""
        ### BEGIN HIDDEN TESTS
        # {CANARY}_test
        import torch
        assert mean(torch.arange(7.0)) == 3.0
        ### END HIDDEN TESTS
    """),
}
"""The same tests as stock nbgrader has them: in the cells."""


def cell(name: str, source: str, **meta: object) -> NotebookNode:
    """Return a code cell with nbgrader's metadata: a plain cell, unless ``meta`` makes it ``grade``, ``locked``..."""
    values = {"grade_id": name, "grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
    return new_code_cell(source, id=name, metadata={"nbgrader": values | meta})


def task(source: str) -> NotebookNode:
    """Return a manually graded task of 3 points: nbgrader's name for a cell with neither tests nor an answer."""
    values = {"grade_id": "draw", "grade": False, "solution": False, "locked": True, "task": True, "points": 3}
    return new_markdown_cell(source, id="draw", metadata={"nbgrader": values | {"schema_version": 3}})


def notebook(add: str = ADD, mean: str = MEAN, extra: tuple[str, ...] = (), tests: bool = False) -> NotebookNode:
    """Return the assignment's notebook with answers in it.

    Args:
        add: the first answer.
        mean: the second answer.
        extra: code cells of the student, after ``add``.
        tests: put the hidden tests into the cells, as stock nbgrader needs them.
    """
    hidden = STOCK_TESTS if tests else dict.fromkeys(STOCK_TESTS, "")
    cells = [
        new_markdown_cell("# Tiny\n\nWrite `add` and `mean`.", id="title"),
        cell("add", add, solution=True),
        *(new_code_cell(source) for source in extra),
        cell("test_add", f"add(1.0)\n{hidden['test_add']}".strip(), grade=True, locked=True, points=2),
        cell("mean", mean, solution=True),
        cell("test_mean", f"mean\n{hidden['test_mean']}".strip(), grade=True, locked=True, points=1),
    ]
    return new_notebook(cells=cells, metadata={"kernelspec": PYTHON})


def make_source(folder: Path, stock: bool = False) -> None:
    """Put the assignment's source into a course folder; with ``stock``, the hidden tests are in its cells."""
    source = notebook(_solution(ADD), _solution(MEAN), tests=stock)
    (folder / "source" / "tiny").mkdir(parents=True)
    nbformat.write(source, folder / "source" / "tiny" / "tiny.ipynb")
    if not stock:
        tests = folder / "grader_tests" / "tiny"
        tests.mkdir(parents=True)
        for name, text in HIDDEN_TESTS.items():
            (tests / f"{name}.py").write_text(text)


def _solution(answer: str) -> str:
    return "\n".join(["### BEGIN SOLUTION", f"# {CANARY}_source", answer, "### END SOLUTION"])


def make_course(folder: Path, limits: dict[str, float], workers: int = 1, classic: bool = False) -> None:
    """Make a course folder with the kit's configuration and the assignment.

    Args:
        folder: where the course goes.
        limits: changes to ``c.JudgedAutograde.limits``.
        workers: one is fast, because other tests use the other cores.
        classic: whether the hidden tests are in the cells.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = (ROOT / "nbgrader_config.py").read_text()
    (folder / "nbgrader_config.py").write_text(
        f"{config}\nc.JudgedAutograde.limits = {{'threads': 1}} | {limits}\nc.JudgedAutograde.workers = {workers}\n"
    )
    make_source(folder, stock=classic)


def release(folder: Path) -> None:
    """Generate the assignment in a course folder. nbgrader runs for the first one; the others get a copy."""
    made = Path(_released().name)
    shutil.copytree(made / "release", folder / "release")
    shutil.copy(made / "gradebook.db", folder)


@functools.cache
def _released() -> tempfile.TemporaryDirectory[str]:
    """Make a released course that lives as long as this process."""
    folder = tempfile.TemporaryDirectory()
    make_course(Path(folder.name), {})
    run = nbgrader(Path(folder.name), "generate_assignment", "tiny")
    assert run.returncode == 0, run.stderr
    return folder


def hand_in(folder: Path, student: str, content: bytes) -> None:
    """Put a submission into a course folder, in place of the student's earlier one."""
    target = folder / "submitted" / student / "tiny"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    (target / "tiny.ipynb").write_bytes(content)


def written(node: NotebookNode) -> bytes:
    """Return the content of a notebook's file, without checking the notebook as nbformat does."""
    return json.dumps(node).encode()
