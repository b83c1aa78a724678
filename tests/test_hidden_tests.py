"""Hidden tests are complete, run by themselves, and never cost a student points by a fault of their own."""

import json
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType, SimpleNamespace

import nbformat
import pytest
import torch
from nbformat.v4 import new_notebook
from torch import nn

from course_lib import authoring
from course_lib.assignment.loader import load_notebook_spec
from course_lib.assignment.spec import NotebookSpec
from course_lib.authoring import StudentNotebook
from course_lib.authoring.live import hidden_tests, student_of
from course_lib.authoring.pytest_plugin import collect_hidden_tests, run_hidden_tests
from course_lib.judge.limits import Limits
from course_lib.judge.pipeline import grade
from course_lib.judge.task import GradingTask
from course_lib.kernel.wire import Packet
from course_lib.reference import mnist1 as reference
from course_lib.results.errors import AssignmentError, GraderError
from course_lib.results.result import TestResult, Verdict
from tests.corpus import ANSWERS
from tests.support.tiny_course import cell

HEADER = """\
from course_lib.authoring import hidden_test
marked = hidden_test(1, fr="Un.", en="One.")
"""
"""The first lines of every file of hidden tests here."""

PASSES = """
    @marked
    def test_a(student):
        pass
"""


def write(folder: Path, text: str, name: str = "test_cell.py") -> Path:
    """A file of hidden tests: the header, and ``text`` below it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(HEADER + dedent(text))
    return path


def nobody(grade_id: str) -> StudentNotebook:
    """An empty notebook at each grade cell."""
    return student_of({})


def variables(source: str) -> dict[str, object]:
    """The global variables of a notebook that has run ``source``."""
    namespace: dict[str, object] = {}
    exec(dedent(source), namespace)
    return namespace


# -- the public face ----------------------------------------------------------------------------------------------------


def test_errors_and_results_import_neither_torch_nor_pytest() -> None:
    """The commands of nbgrader import them, and would otherwise start seconds later."""
    code = """
        import sys
        import course_lib.results.errors, course_lib.results.result
        assert not {"torch", "pytest"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", dedent(code)], check=True)


def test_no_module_hides_a_public_name() -> None:
    """An imported module becomes an attribute of its package, in place of a function of the same name."""
    for name in authoring.__all__:
        assert not isinstance(getattr(authoring, name), ModuleType), name
    assert set(authoring.__all__) <= set(dir(authoring))


# -- the hidden tests of mnist1 -----------------------------------------------------------------------------------------


def test_points_of_the_tests_add_up_to_those_of_the_cell(spec: NotebookSpec) -> None:
    collected = collect_hidden_tests(list(spec.tests.values()))
    assert {name: result.points for name, result in collected.items()} == {c.grade_id: c.points for c in spec.automatic}


def test_every_rationale_is_in_both_languages(spec: NotebookSpec) -> None:
    collected = collect_hidden_tests(list(spec.tests.values()))
    for test in [test for result in collected.values() for test in result.tests]:
        assert test.rationale.fr.endswith(".")
        assert test.rationale.en.endswith(".")
        assert test.rationale.fr != test.rationale.en


def test_a_wrong_answer_raises_for_the_author(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last lines of a grade cell in the source notebook."""
    monkeypatch.chdir(root / "source" / "mnist1")
    wrong, right = (next(a for a in ANSWERS if a.cell == "softmax" and a.is_right is right) for right in (False, True))
    with pytest.raises(AssertionError, match=next(iter(wrong.fails))):
        hidden_tests("mnist1", "test_softmax", wrong.namespace())
    hidden_tests("mnist1", "test_softmax", right.namespace())
    with pytest.raises(FileNotFoundError, match="test_nothing"):
        hidden_tests("mnist1", "test_nothing", {})


class LooksUp(nn.Module):
    """Knows the test images, moved as the judge moves them, and uses no weight."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(784, 10)
        images, labels = reference.shifted_test_set()
        self.table = {image.numpy().tobytes(): label for image, label in zip(images, labels, strict=True)}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.one_hot(torch.stack([self.table[image.numpy().tobytes()] for image in x]), 10).float()


def with_nan() -> nn.Module:
    model = reference.DNN()
    nn.init.constant_(model.hidden1.bias, torch.nan)
    return model


def with_fifty_neurons() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 50), nn.Linear(50, 50), nn.Linear(50, 10))


def test_a_name_that_students_lack_is_named_in_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper among the hidden tests would pass here, and give every student 0."""
    write(tmp_path / "grader_tests" / "a", "@marked\ndef test_a(student):\n    assert student.value('helper') == 1")
    cells = [
        cell("test_cell", "x = 1\n### BEGIN HIDDEN TESTS\nhelper = x\n### END HIDDEN TESTS", grade=True, points=1),
    ]
    source = tmp_path / "source" / "a"
    source.mkdir(parents=True)
    nbformat.write(new_notebook(cells=cells), source / "a.ipynb")
    monkeypatch.chdir(source)
    with pytest.raises(AssertionError, match="helper: defined only in a hidden-tests region"):
        hidden_tests("a", "test_cell", {"helper": 1})
    cells[0].source = "helper = 1\n" + cells[0].source  # a visible line defines it, too
    nbformat.write(new_notebook(cells=cells), source / "a.ipynb")
    hidden_tests("a", "test_cell", {"helper": 1})


@pytest.mark.parametrize(
    ("model", "required", "cause"),
    [
        (with_nan, None, "NaN"),
        (reference.DNN, "accuracy", r"est 0\.[01]"),
        (with_fifty_neurons, "shifted", r"d'un pixel est 0\.[01]"),
        (LooksUp, "shifted", "ce n'est pas eux"),
    ],
)
def test_an_inaccurate_model_is_told_why(root: Path, model: type[nn.Module], required: str | None, cause: str) -> None:
    torch.manual_seed(0)
    namespace: dict[str, object] = {"dnn": model()}
    folder = root / "grader_tests" / "mnist1"
    result = run_hidden_tests([folder / "test_dnn_accuracy.py"], lambda _: student_of(namespace))["test_dnn_accuracy"]
    (test,) = result.tests
    assert test.verdict is Verdict.FAILED
    assert re.search(cause, test.detail)
    threshold = json.loads((folder / "thresholds.json").read_text())["DNN"]
    assert (test.accuracy and test.accuracy[1]) == (required and threshold[required])


# -- where hidden tests come from ---------------------------------------------------------------------------------------


def test_other_files_packages_and_settings_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Marks would depend on them, and the result cache would not see that they changed."""
    (tmp_path / "conftest.py").write_text("raise ValueError('of another course')")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "meddler.py").write_text("raise ValueError('of another package')")
    (tmp_path / "meddler-1.dist-info").mkdir()
    (tmp_path / "meddler-1.dist-info" / "entry_points.txt").write_text("[pytest11]\nmeddler = meddler\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-x")
    monkeypatch.setenv("PYTEST_PLUGINS", "meddler")
    path = write(
        tmp_path / "a",
        """
        @marked
        def test_a(student):
            assert False

        @marked
        def test_b(student):
            pass
        """,
    )
    before = [*sys.path]
    result = run_hidden_tests([path], nobody)["test_cell"]
    assert [test.verdict for test in result.tests] == [Verdict.FAILED, Verdict.PASSED]
    assert sys.path == before
    assert {file.name for file in path.parent.iterdir()} <= {"test_cell.py", "__pycache__"}
    assert capsys.readouterr().out == ""


def test_a_grade_cell_may_have_a_folder_of_tests(tmp_path: Path) -> None:
    folder = tmp_path / "test_cell"
    for name in ("test_one.py", "test_two.py"):
        write(folder, PASSES, name)
    other = write(tmp_path, PASSES, "test_other.py")
    asked: list[str] = []

    def student_at(grade_id: str) -> StudentNotebook:
        asked.append(grade_id)
        return student_of({})

    result = run_hidden_tests([folder, other], student_at)
    assert {name: found.score for name, found in result.items()} == {"test_cell": 2, "test_other": 1}
    assert asked == ["test_cell", "test_cell", "test_other"]
    same_name = write(tmp_path / "another assignment", PASSES)
    assert collect_hidden_tests([same_name])["test_cell"].points == 1


# -- faults of hidden tests ---------------------------------------------------------------------------------------------


def failing_hook(name: str) -> str:
    return f"def pytest_{name}():\n    raise ValueError('oops')"


@pytest.mark.parametrize(
    "text",
    [
        "def oops(:\n    # SyntaxError: invalid syntax",
        "import sys\nsys.exit('oops')",
        "raise ValueError('oops')",
        failing_hook("configure"),
        failing_hook("runtest_logstart"),
        failing_hook("sessionfinish"),
    ],
)
def test_a_conftest_that_stops_pytest_is_named(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, PASSES)
    (tmp_path / "conftest.py").write_text(text)
    with pytest.raises(GraderError, match=r"conftest\.py.*\n(.*\n)*.*(oops|invalid syntax)$") as caught:
        run_hidden_tests([path], nobody)
    assert "there is no hidden test" not in str(caught.value), "pytest has not looked for one"
    assert "site-packages" not in str(caught.value)


FIXTURE = """
    import pytest

    @pytest.fixture
    def data(student):
        {}

    @marked
    def test_a(student, data):
        pass
"""


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (
            """
            @marked
            def test_a(student):
                raise KeyError('oops')
            """,
            r"test_cell.py:\d+: KeyError: 'oops'",
        ),
        (
            """
            @marked
            def test_a(student, no_such_fixture):
                pass
            """,
            "no_such_fixture",
        ),
        (
            """
            @marked
            def test_a(student):
                student.no_such_question()
            """,
            "no_such_question",
        ),
        (FIXTURE.format("assert [] == [1]; yield"), r"assert \[\] == \[1\]"),
    ],
    ids=["exception", "fixture", "question", "setup"],
)
def test_an_exception_of_a_hidden_test_is_no_wrong_answer(tmp_path: Path, text: str, word: str) -> None:
    """It gives no points yet, and names its place: its author did not think of such an answer."""
    path = write(tmp_path / "a", text)
    (test,) = run_hidden_tests([path], nobody)["test_cell"].tests
    assert (test.verdict, test.score, test.detail) == (Verdict.TEST_CRASHED, 0, "")
    assert re.search(word, test.note)
    assert "test_cell.py" in test.note


def test_a_fault_behind_a_hidden_test_stops_the_grading(tmp_path: Path) -> None:
    path = write(tmp_path / "a", FIXTURE.format("yield; student.value('of nobody')"))
    with pytest.raises(GraderError, match=r"test_cell\.py(.*\n)*.*of nobody"):
        run_hidden_tests([path], nobody)


def test_python_without_assertions_grades_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong answer would pass the assertions in imported modules and get full marks."""
    path = write(tmp_path / "tests", PASSES)
    monkeypatch.setattr(sys, "flags", SimpleNamespace(optimize=1))
    with pytest.raises(GraderError, match="PYTHONOPTIMIZE"):
        run_hidden_tests([path], nobody)


def test_a_killed_kernel_is_no_fault_of_a_hidden_test(tmp_path: Path) -> None:
    """The message names the kernel. No other test asks a sandbox that may be gone: each would wait for minutes."""
    path = write(
        tmp_path,
        """
        @marked
        def test_a(student):
            student.value('x')

        @marked
        def test_b(student):
            student.value('x')
        """,
    )
    asked = []

    def killed(question: object) -> Packet:
        asked.append(question)
        raise GraderError("A kernel was killed.")

    for student_at in (lambda _: StudentNotebook(killed), killed):
        with pytest.raises(GraderError, match=r"^A kernel was killed\.$"):
            run_hidden_tests([path], student_at)
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import no_such_module", "no_such_module"),
        ("def test_a(student): pass", "is not marked with"),
        ("def test_a(:", "SyntaxError"),
        ("", "there is no hidden test in it"),
        ("@marked\ndef a(student): pass", "there is no hidden test in it"),
        ("@hidden_test('1', fr='x', en='x')\ndef test_a(student): pass", "points must be a number"),
        ("@hidden_test(True, fr='x', en='x')\ndef test_a(student): pass", "points must be a number"),
        ("@hidden_test(-1, fr='x', en='x')\ndef test_a(student): pass", "points must be a number"),
    ],
)
def test_a_hidden_test_that_cannot_be_used_is_named(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(AssignmentError, match=rf"(?s)test_cell\.py.*{why}"):
        collect_hidden_tests([write(tmp_path / "a", text)])


def test_an_error_in_a_file_of_hidden_tests_is_located(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a",
        """
        def helper():
            return 1 / 0

        helper()
        """,
    )
    line = path.read_text().splitlines().index("    return 1 / 0") + 1
    place = rf"test_cell\.py:{line}: in helper\n    return 1 / 0"
    with pytest.raises(AssignmentError, match=place):
        collect_hidden_tests([path])
    with pytest.raises(GraderError, match=place):
        run_hidden_tests([path], nobody)


def test_a_syntax_error_is_shown_without_pytests_code(tmp_path: Path) -> None:
    """Above the error, pytest shows twelve lines of its own code."""
    path = write(tmp_path / "a", "def test_it(student)\n    pass\n")
    other = write(tmp_path / "a", PASSES, "test_other.py")
    place = r'test_cell\.py\nE +File ".*test_cell\.py", line 3\n(E.*\n)*E +SyntaxError'
    with pytest.raises(AssignmentError, match=place) as caught:
        collect_hidden_tests([path, other])
    assert "there is no hidden test" not in str(caught.value), "pytest has not looked for one"


# -- verdicts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("f = lambda x: x + 1", Verdict.PASSED),
        ("f = lambda x: x", Verdict.FAILED),
        ("f = lambda x: None", Verdict.FAILED),
        ("f = lambda x: float('nan')", Verdict.FAILED),
        ("f = lambda x: 10 ** 9", Verdict.FAILED),
        ("import torch; f = lambda x: torch.ones(3)", Verdict.FAILED),
        ("def f(x): print(1.0)", Verdict.FAILED),
        ("def f(x): raise ValueError(x)", Verdict.ERROR),
        ("def f(x): raise SystemExit", Verdict.ERROR),
        ("def f(x): raise MemoryError", Verdict.OUT_OF_MEMORY),
        ("import torch\ndef f(x): raise torch.OutOfMemoryError('of a card')", Verdict.OUT_OF_MEMORY),
        ("import torch\ndef f(x): return torch.ones(10**15)", Verdict.OUT_OF_MEMORY),
        ("import warnings\ndef f(x): warnings.warn('careful'); return x + 1", Verdict.PASSED),
        ("g = 1", Verdict.ERROR),
    ],
)
@pytest.mark.filterwarnings("ignore:careful")
def test_each_outcome_has_its_verdict(tmp_path: Path, source: str, verdict: Verdict) -> None:
    path = write(
        tmp_path / "a",
        """
        @marked
        def test_a(student):
            assert student.number('f', 1.0) == 2.0
        """,
    )
    namespace = variables(source)
    result = run_hidden_tests([path], lambda _: student_of(namespace))["test_cell"]
    assert [test.verdict for test in result.tests] == [verdict]


def test_a_missing_name_is_an_error_without_solution_cell(tmp_path: Path, library: Path) -> None:
    """In such a notebook, students define the name in their own cells."""
    source = new_notebook(
        cells=[
            cell("given", "x = 1", locked=True),
            cell("test_f", "x", grade=True, locked=True, points=1),
        ]
    )
    nbformat.write(source, tmp_path / "notebook.ipynb")
    write(
        tmp_path / "tests",
        """
        @marked
        def test_a(student):
            student.value('f')
        """,
        "test_f.py",
    )
    spec = load_notebook_spec(tmp_path / "notebook.ipynb", tmp_path / "tests")
    submitted = nbformat.writes(spec.skeleton).encode()
    task = GradingTask(spec, submitted, library, tmp_path, Limits(threads=1), "fr", protection="none")
    (graded,) = grade(task).result.cells
    assert [test.verdict for test in graded.tests] == [Verdict.ERROR]


def test_an_exception_does_not_tell_the_student_the_inputs(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a",
        """
        @marked
        def test_a(student):
            assert student.number('f', 31337.0) == 2.0
        """,
    )
    namespace = variables(
        """
        def f(x):
            raise type(f'E{x}'.replace('.', '_'), (Exception,), {})(x)
        """
    )
    (test,) = run_hidden_tests([path], lambda _: student_of(namespace))["test_cell"].tests
    assert "31337" not in test.hint
    assert "31337" in test.note


# -- accuracies for the class report ------------------------------------------------------------------------------------


def stored(folder: Path, value: str) -> TestResult:
    """The result of a hidden test that stores ``value`` in ``student.accuracy``."""
    path = write(
        folder,
        f"""
        import torch

        @marked
        def test_x(student):
            student.accuracy = {value}
        """,
    )
    return run_hidden_tests([path], nobody)["test_cell"].tests[0]


def test_accuracies_may_be_tensors(tmp_path: Path) -> None:
    assert stored(tmp_path, "(torch.tensor(0.5), 0.25)").accuracy == (0.5, 0.25)


def test_accuracies_that_json_cannot_hold_are_left_out(tmp_path: Path) -> None:
    assert stored(tmp_path, "(float('nan'), 0.25)").accuracy is None
    assert stored(tmp_path, "(0.25, float('inf'))").accuracy is None


@pytest.mark.parametrize("value", ["0.5", "(torch.ones(2), 0.5)"])
def test_any_other_accuracy_is_a_fault_of_the_test(tmp_path: Path, value: str) -> None:
    with pytest.raises(GraderError, match=r"student\.accuracy must be two numbers"):
        stored(tmp_path, value)
