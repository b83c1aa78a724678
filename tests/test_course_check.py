"""`course check`: what an author learns about an assignment without students."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_notebook

from tests.support.code import code
from tests.support.courses import course
from tests.support.exercise import HEAD
from tests.support.tiny_course import ADD, cell, make_course

ANSWERS = {
    "add/right/by_hand.py": ADD,
    "add/wrong/two.py": "# Adds two.\n# fails: test_adds_one, test_adds_one_to_a_large_number\ndef add(x): return x + 2.0",
    "mean/wrong/none.py": "mean = None",
}


def written(folder: Path, answers: dict[str, str]) -> Path:
    for name, text in answers.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def checked(folder: Path, *options: str, name: str = "tiny") -> tuple[int, str]:
    run = course(folder, "check", name, *options)
    return run.returncode, run.stdout + run.stderr


def test_a_good_assignment_passes_every_check(tmp_path: Path) -> None:
    make_course(tmp_path, {})
    before = sorted(tmp_path.rglob("*"))
    code_, said = checked(tmp_path, "--answers", str(written(tmp_path.parent / "answers", ANSWERS)))
    assert (code_, "✗" in said) == (0, False), said
    assert "2 grade cells, 3 points" in said
    assert "add/wrong/two.py" in said
    assert sorted(path for path in tmp_path.rglob("*") if "autograded" not in path.parts) == before


def test_one_cell_is_checked_alone(tmp_path: Path) -> None:
    make_course(tmp_path, {})
    (tmp_path / "grader_tests" / "tiny" / "test_mean.py").write_text(
        f"{HEAD}\n\n@hidden_test(1, 'mean')\ndef test_mean(student):\n    assert student.value('canary') == 1\n"
    )
    code_, said = checked(tmp_path, "--cell", "test_add")
    assert code_ == 0, said
    code_, said = checked(tmp_path, "--cell", "test_mean")
    assert (code_, "NameError: canary" in said) == (1, True)
    (tmp_path / "grader_tests" / "tiny" / "test_mean.py").unlink()
    assert checked(tmp_path, "--cell", "test_mean")[0] == 0, "a classic cell, too"


PROBLEMS = """
    @hidden_test(1, "Nothing.")
    def test_vacuous(student):
        pass

    @hidden_test(1, "Luck.")
    def test_by_chance(student):
        assert student.value("lucky") < 0.5

    @hidden_test(1, "Given.")
    def test_given(student):
        assert student.value("given") == 3

    @hidden_test(1, "Strict.")
    def test_strict(student):
        assert student.call("f", 1)["value"] == 1
"""


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said about an assignment with one problem of each sort."""
    folder = tmp_path_factory.mktemp("faulty")
    make_course(folder, {})
    source, hidden = folder / "source" / "faulty", folder / "grader_tests" / "faulty"
    source.mkdir()
    hidden.mkdir()
    cells = [
        cell("setup", "given = 3\nopen('data.csv', 'w').write('x')", locked=True),
        cell("f", code("""
            import random
            lucky = 0.4 if random.randrange(2**32) == SEEN else 0.9
            def f(x):
                ### BEGIN SOLUTION
                return {"value": x}
                ### END SOLUTION
        """).replace("SEEN", str(_first_random_number())), solution=True),
        cell("test_f", "f", grade=True, locked=True, points=4),
    ]  # fmt: skip
    nbformat.write(new_notebook(cells=cells), source / "faulty.ipynb")
    (source / "data.csv").write_text("x")
    (hidden / "test_f.py").write_text(f"{HEAD}\n\n{code(PROBLEMS)}\n")
    answers = {
        "f/right/list.py": "lucky = 0\ndef f(x): return [x]",
        "f/wrong/right.py": "lucky = 0\ndef f(x): return {'value': x}",
        "f/wrong/other.py": "# fails: test_given\nlucky = 0\ndef f(x): return {'value': 2}",
    }
    code_, said = checked(folder, "--answers", str(written(folder / "answers", answers)), name="faulty")
    assert code_ == 1
    return said


def _first_random_number() -> int:
    import random

    return random.Random(1).randrange(2**32)  # the second cell is seeded with its index


@pytest.mark.parametrize(
    "problem",
    [
        "test_vacuous passes on the notebook as students get it",
        "test_given passes on the notebook as students get it",
        "test_by_chance gave different verdicts (failed, passed) with different seeds",
        "asks for given, which the given cell 'setup' defines",
        "The source notebook writes data.csv",
        "f/right/list.py: a hidden test crashes on it: ",
        "f/wrong/right.py: wrong, but it passes every test",
        "f/wrong/other.py: it should fail test_given, but passes",
    ],
)
def test_a_problem_is_named(faulty: str, problem: str) -> None:
    assert problem in faulty


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: None, "has no answers: write"),
        (
            lambda folder: written(folder, {"no_cell/right/a.py": "1"}),
            "no solution cell has this id; the solution cells are add, mean",
        ),
    ],
)
def test_a_wrong_folder_of_answers_is_refused(change: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    make_course(tmp_path / "course", {})
    answers = tmp_path / "answers"
    answers.mkdir()
    change(answers)
    code_, output = checked(tmp_path / "course", "--answers", str(answers))
    assert (code_, said in output) == (1, True)


def test_a_name_of_a_hidden_region_is_named(tmp_path: Path) -> None:
    """A helper there would give the source full marks and every student 0."""
    make_course(tmp_path, {})
    path = tmp_path / "source" / "tiny" / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].source += "\n### BEGIN HIDDEN TESTS\ndef helper(x):\n    return add(x)\n### END HIDDEN TESTS"
    nbformat.write(notebook, path)
    tests = tmp_path / "grader_tests" / "tiny" / "test_add.py"
    tests.write_text(tests.read_text().replace('number("add", 1e6)', 'number("helper", 1e6)'))
    code_, said = checked(tmp_path)
    assert (code_, "helper: defined only in a hidden-tests region" in said) == (1, True), said
