"""The hidden tests themselves: complete, in both languages, and never at the student's cost."""

import json
import re
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny_course
import torch
from corpus import ANSWERS
from nbformat.v4 import new_notebook
from torch import nn

from course_lib.assignment.spec import GradeCell, NotebookSpec
from course_lib.authoring.errors import AssignmentError, GradingFault
from course_lib.authoring.expect import expect, expect_all, likely
from course_lib.authoring.failures import OtherParameters, StudentFailure
from course_lib.authoring.live import hidden_tests, student_of
from course_lib.authoring.notebook import KEPT, StudentNotebook
from course_lib.authoring.pytest_plugin import collect_hidden_tests, run_hidden_tests
from course_lib.authoring.result import TestResult, Verdict
from course_lib.error_hints import MAX_TEXT, error_cause, known_error_cause
from course_lib.judge.pipeline import _Run
from course_lib.kernel.responder import Responder
from course_lib.kernel.training_reuse import by_shape
from course_lib.kernel.wire import Packet
from course_lib.messages import Text, say
from course_lib.reference import mnist1 as reference


def test_every_grade_cell_has_tests_whose_points_add_up(spec: NotebookSpec) -> None:
    collected = collect_hidden_tests(list(spec.tests.values()))
    assert {name: cell.points for name, cell in collected.items()} == {c.grade_id: c.points for c in spec.automatic}


def test_every_rationale_is_in_both_languages(spec: NotebookSpec) -> None:
    for cell in collect_hidden_tests(list(spec.tests.values())).values():
        for test in cell.tests:
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


def write(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "test_cell.py"
    path.write_text("from course_lib.authoring.hidden_tests import hidden_test\n\n" + text)
    return path


MARK = '@hidden_test(1, fr="Un.", en="One.")\n'
FIXTURE = (
    f"import pytest\n@pytest.fixture\ndef data(student):\n    {{}}\n\n{MARK}def test_a(student, data):\n    pass\n"
)


def test_what_is_no_part_of_the_tests_has_no_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stored results would not notice that it has changed."""
    (tmp_path / "conftest.py").write_text("raise ValueError('of another course')")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "meddler.py").write_text("raise ValueError('of another package')")
    (tmp_path / "meddler-1.dist-info").mkdir()
    (tmp_path / "meddler-1.dist-info" / "entry_points.txt").write_text("[pytest11]\nmeddler = meddler\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-x")
    monkeypatch.setenv("PYTEST_PLUGINS", "meddler")
    path = write(
        tmp_path / "a", f"{MARK}def test_a(student):\n    assert False\n{MARK}def test_b(student):\n    pass\n"
    )
    before = [*sys.path]
    result = run_hidden_tests([path], lambda _: student_of({}))["test_cell"]
    assert [test.verdict for test in result.tests] == [Verdict.FAILED, Verdict.PASSED]
    assert sys.path == before
    assert {file.name for file in path.parent.iterdir()} <= {"test_cell.py", "__pycache__"}
    assert capsys.readouterr().out == ""


def test_a_grade_cell_may_have_a_folder_of_tests(tmp_path: Path) -> None:
    folder = tmp_path / "test_cell"
    for name in ("test_one.py", "test_two.py"):
        write(folder, f"{MARK}def test_a(student):\n    pass\n").rename(folder / name)
    other = write(tmp_path, f"{MARK}def test_a(student):\n    pass\n").rename(tmp_path / "test_other.py")
    asked: list[str] = []
    result = run_hidden_tests([folder, other], lambda name: (asked.append(name), student_of({}))[1])
    assert {name: cell.score for name, cell in result.items()} == {"test_cell": 2, "test_other": 1}
    assert asked == ["test_cell", "test_cell", "test_other"]
    file = write(tmp_path / "another assignment", f"{MARK}def test_a(student):\n    pass\n")
    assert collect_hidden_tests([file])["test_cell"].points == 1


@pytest.mark.parametrize(
    "text",
    [
        "def oops(:\n    # SyntaxError: invalid syntax", "import sys\nsys.exit('oops')", "raise ValueError('oops')",
        *(f"def pytest_{hook}():\n    raise ValueError('oops')" for hook in ("configure", "runtest_logstart", "sessionfinish")),
    ],
)  # fmt: skip
def test_a_conftest_that_ends_pytest_is_named_and_no_mark_is_given(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, f"{MARK}def test_a(student):\n    pass\n")
    (tmp_path / "conftest.py").write_text(text)
    with pytest.raises(GradingFault, match=r"conftest\.py.*\n(.*\n)*.*(oops|invalid syntax)$") as caught:
        run_hidden_tests([path], lambda _: student_of({}))
    assert "there is no hidden test" not in str(caught.value), "nobody has looked"
    assert "site-packages" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (
            MARK + "def test_a(student):\n    raise KeyError('oops')\n",
            r"test_cell.py:\d+: in test_a\n    raise KeyError\('oops'\)",
        ),
        (MARK + "def test_a(student, no_such_fixture):\n    pass\n", "no_such_fixture"),
        (MARK + "def test_a(student):\n    student.no_such_question()\n", "no_such_question"),
        (FIXTURE.format("assert [] == [1]\n    yield"), r"assert \[\] == \[1\]"),
        (FIXTURE.format("yield\n    student.value('of nobody')"), "of nobody"),
    ],
)
def test_a_hidden_test_that_fails_by_itself_is_a_fault_not_a_zero(tmp_path: Path, text: str, word: str) -> None:
    path = write(tmp_path / "a", text)
    with pytest.raises(GradingFault, match=word) as caught:
        run_hidden_tests([path], lambda _: student_of({}))
    assert "test_cell.py" in str(caught.value)


def test_nothing_is_tested_where_python_leaves_out_assertions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong answer would pass those of a helper, and its full marks would be kept as current."""
    path = write(tmp_path / "tests", f"{MARK}def test_it(student):\n    assert False")
    monkeypatch.setattr(sys, "flags", SimpleNamespace(optimize=1))
    with pytest.raises(GradingFault, match="PYTHONOPTIMIZE"):
        run_hidden_tests([path], lambda _: student_of({}))


def test_a_name_may_be_missing_where_no_solution_cell_stands_before() -> None:
    """The students' own cells make it, and each cell of the notebook has an id."""
    cells = [
        tiny_course.cell("given", "x = 1", locked=True),
        tiny_course.cell("test_f", "f", grade=True, locked=True, points=1),
    ]
    session = SimpleNamespace(notebook=new_notebook(cells=cells), outcomes={})
    job = SimpleNamespace(spec=SimpleNamespace(automatic=[GradeCell("test_f", 1, False, "")]))
    assert _Run(job, session, early=False)._missing("f", "test_f").verdict is Verdict.ERROR


def test_a_kernel_that_was_killed_is_no_fault_of_a_hidden_test(tmp_path: Path) -> None:
    """It is named as it is, and no further test asks a sandbox that may be gone: each would wait for minutes."""
    path = write(tmp_path, "".join(f"{MARK}def test_{n}(student):\n    student.value('x')\n" for n in "ab"))
    asked = []

    def killed(question: Packet) -> Packet:
        asked.append(question)
        raise GradingFault("A kernel was killed.")

    for student_at in (lambda _: StudentNotebook(killed), killed):
        with pytest.raises(GradingFault, match=r"^A kernel was killed\.$"):
            run_hidden_tests([path], student_at)
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import no_such_module\n", "no_such_module"), ("def test_a(student):\n    pass\n", "is not marked with"),
        ("def test_a(:\n", "SyntaxError"), ("\n", "there is no hidden test in it"),
        (MARK + "def a(student):\n    pass\n", "there is no hidden test in it"),
        (MARK.replace("(1,", "('1',") + "def test_a(student):\n    pass\n", "points must be a number"),
        (MARK.replace("(1,", "(True,") + "def test_a(student):\n    pass\n", "points must be a number"),
        (MARK.replace("(1,", "(-1,") + "def test_a(student):\n    pass\n", "points must be a number"),
    ],
)  # fmt: skip
def test_a_hidden_test_that_cannot_be_collected_is_named(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(AssignmentError, match=rf"(?s)test_cell\.py.*{why}"):
        collect_hidden_tests([write(tmp_path / "a", text)])


def test_the_place_of_an_error_in_a_file_of_hidden_tests_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "def helper():\n    return 1 / 0\n\nhelper()\n")
    place = r"test_cell\.py:4: in helper\n    return 1 / 0"
    with pytest.raises(AssignmentError, match=place):
        collect_hidden_tests([path])
    with pytest.raises(GradingFault, match=place):
        run_hidden_tests([path], lambda _: student_of({}))


def test_of_a_typing_error_in_a_hidden_test_only_its_place_is_shown(tmp_path: Path) -> None:
    """Above it, pytest has twelve lines of its own code."""
    path = write(tmp_path / "a", "def test_it(student)\n    pass\n")
    other = path.with_name("test_other.py")
    other.write_text(
        f"from course_lib.authoring.hidden_tests import hidden_test\n{MARK}def test_a(student):\n    pass\n"
    )
    place = r'test_cell\.py\nE +File ".*test_cell\.py", line 3\n(E.*\n)*E +SyntaxError'
    with pytest.raises(AssignmentError, match=place) as caught:
        collect_hidden_tests([path, other])
    assert "there is no hidden test" not in str(caught.value), "nobody has looked"


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("f = lambda x: x + 1", Verdict.PASSED),
        ("f = lambda x: x", Verdict.FAILED),
        ("f = lambda x: None", Verdict.FAILED),
        ("f = lambda x: float('nan')", Verdict.FAILED),
        ("f = lambda x: 10 ** 9", Verdict.FAILED),
        ("import torch\nf = lambda x: torch.ones(3)", Verdict.FAILED),
        ("def f(x):\n    print(1.0)", Verdict.FAILED),
        ("def f(x):\n    raise ValueError(x)", Verdict.ERROR),
        ("def f(x):\n    raise SystemExit", Verdict.ERROR),
        ("def f(x):\n    raise MemoryError", Verdict.OUT_OF_MEMORY),
        ("import torch\ndef f(x):\n    raise torch.OutOfMemoryError('of a card')", Verdict.OUT_OF_MEMORY),
        ("import torch\ndef f(x):\n    return torch.ones(10**15)", Verdict.OUT_OF_MEMORY),
        ("def f(x):\n    import warnings; warnings.warn('careful'); return x + 1", Verdict.PASSED),
        ("g = 1", Verdict.ERROR),
    ],
)
@pytest.mark.filterwarnings("ignore:careful")
def test_each_outcome_has_its_verdict(tmp_path: Path, source: str, verdict: Verdict) -> None:
    path = write(tmp_path / "a", MARK + "def test_a(student):\n    assert student.number('f', 1.0) == 2.0\n")
    namespace: dict[str, object] = {}
    exec(source, namespace)
    result = run_hidden_tests([path], lambda _: student_of(namespace))["test_cell"]
    assert [test.verdict for test in result.tests] == [verdict]


class Odd(Exception):
    def __str__(self) -> str:
        raise TypeError


def test_any_exception_and_any_tensor_is_an_answer() -> None:
    """Of a message, a little is kept with the result, also where the kernel lies."""

    def long(x: float) -> None:
        raise ValueError("x" * 10**6)

    def odd(x: float) -> None:
        raise Odd

    answers = {
        "long": (long, "ValueError: x"),
        "odd": (odd, "Odd: "),
        "sparse": (lambda x: torch.eye(3).to_sparse(), ""),
    }
    for name, (function, note) in answers.items():
        with pytest.raises(StudentFailure) as failure:
            student_of({name: function}).call(name, 1.0)
        assert failure.value.verdict is Verdict.ERROR
        assert failure.value.note.startswith(note)
    question = Packet({"ask": "call", "name": "long", "args": [], "arrays": []})
    assert len(Responder({"long": lambda: long(1.0)}).answer(question).fields["message"]) == MAX_TEXT
    lying = StudentNotebook(lambda question: Packet({"status": "raised", "type": "E" * 10**6, "message": "x" * 10**6}))
    with pytest.raises(StudentFailure) as failure:
        lying.value("x")
    assert len(failure.value.note) <= 1000


class Noisy(nn.Module):
    """Its weights are drawn, and one of them has no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 2))
        self.lines[0].weight.requires_grad_(False)
        self.unused = nn.Parameter(torch.ones(7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lines(x)


def test_a_model_is_made_and_asked_without_luck() -> None:
    student, x = student_of({"Noisy": Noisy, "net": 3}), torch.rand(5, 3)
    first = student.forward("Noisy", x, classes=2).logits
    torch.rand(1)
    state = torch.get_rng_state()
    second = student.forward("Noisy", x, classes=2).logits
    assert torch.equal(first, second), "the same weights, and no dropout"
    assert torch.equal(state, torch.get_rng_state()), "what the notebook draws later is what it was"
    weights = [torch.ones_like(p) for p in by_shape(Noisy())]
    answer = student.forward("Noisy", x, weights, torch.arange(5) % 2, train=True, classes=2)
    assert len(answer.gradients) == len(weights)
    assert not torch.equal(answer.logits, student.forward("Noisy", x, weights, classes=2).logits), "dropout"
    with pytest.raises(OtherParameters):
        student.forward("Noisy", x, weights[1:], classes=2)
    with pytest.raises(StudentFailure) as failure:
        student.forward("net", x, classes=2)
    assert failure.value.detail == say("cause.no_model")
    for _ in range(2 * KEPT):
        student.value("net")
    assert len(student.asked) == KEPT, "in memory, and in each result"


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.bfloat16, torch.complex64, torch.bool])
def test_an_answer_of_any_dtype_is_wrong_and_no_fault(dtype: torch.dtype) -> None:
    """Torch has no `isfinite` for some of them."""
    answer = torch.full((2, 10), 3.0).to(dtype)
    assert isinstance(likely(answer, {}), StudentFailure)
    with pytest.raises(StudentFailure):
        expect_all([answer], torch.zeros, [((2, 10),)], {})


@pytest.mark.parametrize(("answer", "right", "cause"), [
    (None, torch.ones(2), "cause.no_return"), (None, ["a"], "cause.no_return"), (len, 2, "cause.not_called"),
    (["a"], torch.ones(2), "cause.type"), (("a", "b"), ["a", "b"], "cause.type"), ("1", 1.0, "cause.type"),
    ({"a"}, ["a"], "cause.type"), (["a", "B"], ["a", "b"], "cause.values"), (["a"], ["a", "b"], "cause.values"),
    ({"a": 1}, {"a": 2}, "cause.values"), ({"a": 1}, {"b": 1}, "cause.values"), (10**30, 1, "cause.values"),
    ([1.0, float("nan")], [1.0, 2.0], "cause.not_finite"), (1e300, 2e300, "cause.values"), (1.0, 1.001, "cause.values"),
    (torch.ones(1), torch.ones(2), "cause.values"), ((1, "a"), [1, "a"], "cause.type"),
    (["a", "b"], ["a", "b"], None), ({"a": [1.0, None]}, {"a": [1.0 + 1e-7, None]}, None), ("é", "é", None),
    ((1, torch.ones(2)), (1, torch.ones(2)), None), ([1.0, 2.0], torch.tensor([1.0, 2.0]), None), (None, None, None),
])  # fmt: skip
def test_any_answer_is_compared_with_any_reference(answer: object, right: Any, cause: str | None) -> None:
    """Nothing that a student returns makes the test fail by itself."""
    found = student_of({"f": lambda: answer}).call("f")
    if cause is None:
        expect(found, lambda: right, suspects={})
        return
    with pytest.raises(StudentFailure) as failure:
        expect(found, lambda: right, suspects={Text("Jamais.", "Never."): lambda: "never"})
    names = {"actual": type(answer).__name__, "expected": type(right).__name__.replace("Tensor", "Tensor/ndarray")}
    assert failure.value.detail == say(cause, **names)


def test_a_single_dimension_has_no_rows() -> None:
    for shape, cause in (((3,), "cause.length"), ((3, 2), "cause.rows")):
        answer = torch.zeros(2, *shape[1:])
        with pytest.raises(StudentFailure) as failure:
            student_of({"answer": lambda answer=answer: answer}).tensor("answer", shape=shape)
        assert failure.value.detail == say(cause)


def test_a_student_of_numpy_reads_of_arrays() -> None:
    for source in ("f = lambda: [1.0]", "f = lambda: {'a': 1.0}.keys()"):
        namespace: dict[str, object] = {}
        exec(source, namespace)
        with pytest.raises(StudentFailure, match="ndarray"):
            student_of(namespace).tensor("f", shape=(1,))
    with pytest.raises(StudentFailure, match="ndarray"):
        student_of({"f": lambda: np.ones(2)}).tensors("f", shapes=[(), ()])


@pytest.mark.parametrize(
    ("kind", "message", "cause"),
    [
        ("EOFError", "EOF when reading a line", "input()"),
        ("TypeError", "'Tensor' object is not callable", "n'est pas une fonction"), ("ValueError", "mine", "essayez d'autres arguments"),
        ("RuntimeError", "Expected all tensors to be on the same device, but found two", "carte graphique"),
        ("RuntimeError", "Found no NVIDIA driver on your system.", "carte graphique"),
        ("FileNotFoundError", "C:/Users/me/houses.csv not found.", "à côté du notebook"),
        ("ModuleNotFoundError", "No module named 'pandas'", "l'énoncé importe"),
        ("ImportError", "cannot import name 'Linear' from 'torch'", "ce qui en est importé"),
        ("TypeError", "len() takes exactly one argument (2 given)", "d'autres arguments que ceux"),
        ("TypeError", "float expected at most 1 argument, got 2", "d'autres arguments que ceux"),
        ("TypeError", "linear(): argument 'input' (position 1) must be Tensor, not list", "une liste pour un tenseur"),
        ("TypeError", "linear(): argument 'input' (position 1) must be Tensor, not tuple", "(sorties, état)"),
        ("TypeError", "relu(): argument 'input' (position 1) must be Tensor, not torch.return_types.max", "(valeurs, indices)"),
        ("AttributeError", "'tuple' object has no attribute 'squeeze'", "(sorties, état)"),
        ("TypeError", "unsupported operand type(s) for -: 'Tensor' and 'torch.return_types.max'", "(valeurs, indices)"),
        ("TypeError", "mean() got an unexpected keyword argument 'axis'", "numpy"),
        ("TypeError", "max(): argument 'dim' must be int, not NoneType", "numpy"),
        ("TypeError", "std() received an invalid combination of arguments - got (ddof=int, out=NoneType, )", "numpy"),
        ("TypeError", "softmax() got an unexpected keyword argument 'axis'", "d'autres arguments que ceux"),
        ("RuntimeError", "input.size(-1) must be equal to input_size. Expected 7, got 3", "batch_first"),
        ("RuntimeError", "Expected hidden[0] size (1, 4, 5), got [1, 7, 5]", "état initial"),
        ("ValueError", "LSTM: Expected input to be 2D or 3D, got 4D tensor instead", "batch_first"),
        ("RuntimeError", "nbytes is not defined for sparse tensors.  If you want the size", ".to_dense()"),
        ("TypeError", "unsupported operand type(s) for +: 'int' and 'str'", "un texte pour un nombre"),
        ("ValueError", "could not convert string to float: 'date'", "un texte pour un nombre"),
        ("AttributeError", "'numpy.ndarray' object has no attribute 'maen'", "une faute de frappe"),
        ("TypeError", "unsupported operand type(s) for +: 'NoneType' and 'int'", "il manque peut-être return"),
        ("ValueError", "too many values to unpack (expected 2)", "ce que rend chaque fonction"),
        ("TypeError", "cannot unpack non-iterable NoneType object", "il manque peut-être return"),
        ("ValueError", "shapes (3,) and (4,) not aligned: 3 (dim 0) != 4 (dim 0)", "deux tenseurs"),
        ("RuntimeError", "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, "
         "Int; but got torch.FloatTensor instead", ".long()"),
    ],
)  # fmt: skip
def test_an_error_that_the_check_cell_does_not_show_has_a_cause_too(kind: str, message: str, cause: str) -> None:
    assert cause in error_cause(kind, message)


RAISES: dict[str, list[str]] = {
    "sparse": ["F.mse_loss(x.to_sparse().sort(), x)"],
    "linear_size": ["x @ torch.ones(4)"],
    "channels": ["nn.Conv2d(1, 2, 3)(torch.ones(9, 9))", "nn.BatchNorm2d(3)(x)"],
    "too_small": ["nn.Conv2d(1, 2, 5)(torch.ones(1, 1, 4, 4))", "nn.MaxPool2d(8)(torch.ones(1, 1, 4, 4))"],
    "normalization": [
        "nn.BatchNorm2d(3)(torch.ones(1, 4, 2, 2))", "nn.LayerNorm(10)(x)", "nn.BatchNorm1d(3)(torch.ones(1, 3, 2, 2))",
        "nn.GroupNorm(2, 4)(torch.ones(1, 6, 2, 2))",
    ],
    "recurrent": ["nn.RNNCell(3, 4)(torch.ones(2, 5))", "nn.RNN(3, 4)(torch.ones(2, 5, 3), x)"],
    "view": ["a.reshape(4, 2)", "x.unflatten(1, (2, 2))", "x.view(-1, -1)"],
    "contiguous": ["x.T.view(6)"],
    "dtype": [
        "F.cross_entropy(x, torch.ones(2))", "F.binary_cross_entropy(x, x.int())", "x.gather(1, x)", "x.int().std()", "x @ x.double().T",
        "torch.zeros(2, 2).scatter(1, torch.tensor([[0]]), torch.ones(1, 1).double())", "F.one_hot(x)", "x.int().softmax(1)", "x.int().exp_()",
        "nn.Conv2d(1, 2, 3)(torch.ones(1, 1, 5, 5).double())", "x[torch.ones(2)]", "a[np.ones(2)]", "(x > 0) - (x > 0)", "-(x > 0)",
    ],
    "dim": ["a.sum(2)", "x[0, 0, 0]", "a[0, 0, 0]", "len(x.sum())", "list(x.sum())", "x.sum()[0]", "x.permute(0, 2, 1)"],
    "index": ["[1][2]", "F.one_hot(torch.tensor([11]), 10)"],
    "sizes": [
        "a + np.ones(2)", "x[torch.tensor([0, 1]), torch.tensor([0, 1, 2])]", "torch.cat([x, torch.ones(2, 4)])", "a @ a", "x[torch.ones(5, dtype=bool)]",
        "F.cross_entropy(x, torch.zeros(3, dtype=int))", "F.binary_cross_entropy(x, torch.ones(3))", "F.binary_cross_entropy_with_logits(x, torch.ones(3))",
        "a.__setitem__(0, np.ones(4))", "torch.stack([x, torch.ones(2, 4)])", "np.vstack([np.ones(3), np.ones(4)])", "torch.cat([x, torch.ones(2)])",
        "torch.ones(3).dot(torch.ones(4))", "torch.einsum('ij,jk', x, x)",
    ],
    "unpack": ["[one for one, two in [3]]"],
    "scalar": ["float(x)", "float(a)", "x.item()", "x or 1", "a or 1"],
    "in_place": ["w.add_(1)", "(lambda y: (y.add_(1), y.sum().backward()))(w.exp())"],
    "numpy": ["w.numpy()"],
    "parameters": ["torch.optim.Adam(nn.Flatten().parameters())"],
    "tuple": ["nn.Sequential(nn.LSTM(3, 4), nn.Conv1d(4, 1, 1))(torch.ones(2, 5, 3))"],
    "arguments": ["torch.zeros(2, foo=1)", "x.view('a')"],
    "types": [
        "[1] < 2", "-[1]", "'a' + 1", "{[1]: 2}", "len[0]", "list(3)", "len(3)", "int('a')", "torch.from_numpy(np.array(['a']))", "a + 'a'",
        "range(len('abc') / 2)", "[1][:0.5]", "torch.tensor(['a'])", "nn.Linear(2, '3')", "torch.from_numpy([1])", "nn.Sequential(nn.Flatten)",
    ],
    "name": ["undefined"], "key": ["{}[1]"], "unfinished": ["raise NotImplementedError"], "recursion": ["again(again)"], "zero": ["1 / 0"],
    "indentation": ["("],
}  # fmt: skip
"""By their causes: what raises in torch and numpy as they are installed, and each says in its own way."""


@pytest.mark.parametrize("cause", RAISES)
def test_what_torch_and_numpy_say_has_its_cause(cause: str) -> None:
    names = {"torch": torch, "nn": nn, "F": nn.functional, "np": np, "again": lambda f: f(f)}
    for code in RAISES[cause]:
        values = {"x": torch.ones(2, 3), "a": np.ones((2, 3)), "w": torch.ones(2, requires_grad=True)}
        with warnings.catch_warnings(action="ignore"), pytest.raises(Exception) as caught:  # noqa: PT011 - any
            exec(code, names | values)
        said = type(caught.value).__name__, str(caught.value)
        assert known_error_cause(*said) == say(f"cause.{cause}"), (code, said)


def test_an_exception_does_not_carry_the_hidden_inputs_to_the_student(tmp_path: Path) -> None:
    path = write(tmp_path / "a", MARK + "def test_a(student):\n    assert student.number('f', 31337.0) == 2.0\n")
    source = "def f(x):\n    raise type(f'E{x}'.replace('.', '_'), (Exception,), {})(x)"
    namespace: dict[str, object] = {}
    exec(source, namespace)
    (test,) = run_hidden_tests([path], lambda _: student_of(namespace))["test_cell"].tests
    assert "31337" not in test.hint
    assert "31337" in test.note


def test_a_trained_model_is_asked_as_it_is_and_left_as_it_was() -> None:
    """Even when it keeps what it has computed, which cannot be copied."""
    namespace: dict[str, object] = {}
    source = """
import torch
from torch import nn

class Keeps(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.norm, self.frozen = nn.Linear(4, 3), nn.BatchNorm1d(3), nn.BatchNorm1d(3)

    def forward(self, x):
        self.features = self.linear(x)
        return self.norm(self.features)

model = Keeps()
model.frozen.eval()
model(torch.ones(5, 4)).sum().backward()
"""
    exec(source, namespace)
    model = namespace["model"]
    assert isinstance(model, torch.nn.Module)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradient = model.linear.weight.grad.clone()  # type: ignore[union-attr]
    student = student_of(namespace)
    x, labels = torch.rand(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    weights = [torch.ones(p.shape) for p in by_shape(model)]
    answer = student.forward("model", x, weights, labels, train=True, classes=3)
    assert len(answer.gradients) == len(weights)
    student.must_leave_alone("model", x)
    assert {name: bool((value == before[name]).all()) for name, value in model.state_dict().items()} == dict.fromkeys(
        before, True
    )
    assert torch.equal(model.linear.weight.grad, gradient)  # type: ignore[union-attr,arg-type]
    assert (model.training, model.norm.training, model.frozen.training) == (True, True, False)


@pytest.mark.parametrize("empty", [torch.empty, torch.Tensor], ids=["empty", "Tensor"])
def test_memory_that_a_function_does_not_fill_never_holds_zeros(empty: Any) -> None:
    """A student's own setting stays, and warnings made errors raise none over it."""

    def f(x: torch.Tensor) -> torch.Tensor:
        x.clone().put_(torch.tensor([0]), torch.ones(1))  # may differ from run to run, torch says
        return empty(4, 10)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(20):
            assert student_of({"f": f}).tensor("f", torch.zeros(4), shape=(4, 10)).isnan().all()
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(("source", "expected"), [
    ("def f(a): return a - np.mean(a, axis=0)", [[-1.0, -1.0], [1.0, 1.0]]),
    ("def f(a): return a.astype(float).copy() - a.mean(axis=0, keepdims=True)", [[-1.0, -1.0], [1.0, 1.0]]),
    ("def f(a): return a.std(axis=0)", [1.0, 1.0]),
])  # fmt: skip
def test_an_array_arrives_as_an_array(source: str, expected: list[object]) -> None:
    namespace: dict[str, object] = {"np": np}
    exec(source, namespace)
    student = student_of(namespace)
    found = student.call("f", np.array([[0.0, 1.0], [2.0, 3.0]]))
    assert isinstance(found, torch.Tensor)
    assert found.tolist() == expected
    student.must_leave_alone("f", np.ones((2, 2)))


def test_a_function_that_changes_its_array_is_found_out() -> None:
    def f(a: np.ndarray) -> None:
        a += 1

    with pytest.raises(StudentFailure):
        student_of({"f": f}).must_leave_alone("f", np.ones(2))


@pytest.mark.parametrize("given", [
    "a" * 501, ["a" * 501], {"a": ("b", "c" * 501)}, list(range(1000)), [[i] for i in range(500)], {1, 2}, [range(2)],
])  # fmt: skip
def test_what_does_not_travel_whole_is_a_fault_of_the_test(given: Any) -> None:
    """A student's code would get something else, and lose points by it."""
    student = student_of({"f": lambda given: given})
    for ask in (student.call, student.must_leave_alone):
        with pytest.raises(ValueError, match=r"texts of at most 500 characters.* fewer than 1000 items"):
            ask("f", given)
    with pytest.raises(ValueError, match=r"what no answer can be: .*texts of at most 500 characters"):
        expect(student_of({"f": lambda: given}).call("f"), lambda: given, suspects={})
    for whole in ("a" * 500, list(range(999)), {"a": [torch.ones(2)]}, (), None, np.ones(3)):
        expect(student.call("f", whole), lambda whole=whole: whole, suspects={})


@pytest.mark.parametrize(("source", "given"), [
    ("def f(words): words.sort()", ["b", "a"]), ("def f(words): words[0].pop()", [["a"], ["b"]]),
    ("def f(known): known.setdefault('b', len(known))", {"a": 0}), ("def f(pair): pair[1]['a'] += 1", (1.5, {"a": 0})),
    ("def f(tensors): tensors[0].add_(1)", [torch.ones(2)]), ("def f(tensors): tensors.pop()", [torch.ones(2)]),
])  # fmt: skip
def test_a_function_that_changes_its_list_or_dict_is_found_out(source: str, given: Any) -> None:
    namespace: dict[str, object] = {"g": lambda given: list(given)}
    exec(source, namespace)
    student = student_of(namespace)
    student.must_leave_alone("g", given)
    with pytest.raises(StudentFailure) as failure:
        student.must_leave_alone("f", given)
    assert failure.value.detail == say("cause.modified")


def test_a_model_that_is_still_none_was_not_tried() -> None:
    """An error, unlike a wrong answer, of a cell left as it was given counts as not attempted."""
    with pytest.raises(StudentFailure) as failure:
        student_of({"model": None}).forward("model", torch.ones(1, 2))
    assert failure.value.verdict is Verdict.ERROR
    assert say("cause.none") in failure.value.detail


def test_a_function_may_train_something() -> None:
    """With gradients of its own; a model is asked without."""

    def slope(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        w = torch.zeros((), requires_grad=True)
        for _ in range(50):
            (gradient,) = torch.autograd.grad(((w * x - y) ** 2).mean(), w)
            w = (w - 0.1 * gradient).detach().requires_grad_()
        return w

    class Gradients(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.full((len(x), 2), float(torch.is_grad_enabled()))

    x = torch.tensor([1.0, 2.0])
    student = student_of({"slope": slope, "Gradients": Gradients, "model": Gradients()})
    assert student.tensor("slope", x, 3 * x, shape=()).item() == pytest.approx(3)
    for name in ("Gradients", "model"):
        assert not student.tensor(name, x, shape=(2, 2)).any()
        assert not student.forward(name, x, classes=2).logits.any()


def test_tuples_and_dicts_come_and_go() -> None:
    def count(words: list[str], known: dict[str, int]) -> tuple[int, dict[str, int]]:
        return sum(word in known for word in words), {word: known.get(word, 0) for word in words}

    found = student_of({"count": count}).call("count", ["a", "b"], {"a": 7})
    assert found == (1, {"a": 7, "b": 0})


@pytest.mark.parametrize(("returned", "note"), [
    ((1.5, torch.ones(2)), ""), ([torch.tensor(1.5), torch.ones(2)], ""), (torch.ones(2), "Tensor, not a tuple"),
    ((1.5,), "1 values, not 2"), ((1.5, "a"), "str, not a tensor"), ((1.5, torch.ones(3)), "the shape (3,), not (2,)"),
    ((1.5, torch.ones(2, dtype=torch.int64)), "not torch.float32"), (None, "NoneType, not a tuple"),
])  # fmt: skip
def test_several_tensors_come_back_or_the_answer_is_wrong(returned: object, note: str) -> None:
    """Whatever it is, the test that asks does not fail by itself."""
    student = student_of({"f": lambda: returned})
    if note:
        with pytest.raises(StudentFailure) as failure:
            student.tensors("f", shapes=[(), (2,)])
        assert note in failure.value.note
    else:
        first, second = student.tensors("f", shapes=[(), (2,)])
        assert (first.item(), second.tolist()) == (1.5, [1, 1])


class LooksUp(nn.Module):
    """Knows the test images, moved as the judge moves them, and uses no weight."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(784, 10)
        images, labels = reference.test_set()
        self.table = {
            image.numpy().tobytes(): label for image, label in zip(reference.shifted(images), labels, strict=True)
        }

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.one_hot(torch.stack([self.table[image.numpy().tobytes()] for image in x]), 10).float()


def of_nan() -> nn.Module:
    model = reference.DNN()
    nn.init.constant_(model.hidden1.bias, torch.nan)
    return model


def of_fifty_neurons() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 50), nn.Linear(50, 50), nn.Linear(50, 10))


@pytest.mark.parametrize(
    ("model", "required", "cause"),
    [
        (of_nan, None, "NaN"),
        (reference.DNN, "accuracy", r"est 0\.[01]"),
        (of_fifty_neurons, "shifted", r"d'un pixel est 0\.[01]"),
        (LooksUp, "shifted", "ce n'est pas eux"),
    ],
)
def test_a_model_whose_weights_are_not_accurate_is_told_why(
    root: Path, model: type[nn.Module], required: str | None, cause: str
) -> None:
    torch.manual_seed(0)
    namespace: dict[str, object] = {"dnn": model()}
    folder = root / "grader_tests" / "mnist1"
    (test,) = run_hidden_tests([folder / "test_dnn_accuracy.py"], lambda _: student_of(namespace))[
        "test_dnn_accuracy"
    ].tests
    assert test.verdict is Verdict.FAILED
    assert re.search(cause, test.detail)
    threshold = json.loads((folder / "thresholds.json").read_text())["DNN"]
    assert (test.accuracy and test.accuracy[1]) == (required and threshold[required])


LEAVES = """
import torch
from course_lib.authoring.hidden_tests import hidden_test
@hidden_test(1, fr="x", en="x")
def test_x(student):
    student.accuracy = {}
"""


def left(folder: Path, value: str) -> TestResult:
    """The result of a hidden test that puts ``value`` into ``student.accuracy``."""
    path = folder / "test_cell.py"
    path.write_text(LEAVES.format(value))
    return run_hidden_tests([path], lambda _: student_of({}))["test_cell"].tests[0]


def test_tensors_become_numbers(tmp_path: Path) -> None:
    assert left(tmp_path, "(torch.tensor(0.5), 0.25)").accuracy == (0.5, 0.25)


def test_what_json_does_not_have_is_left_out(tmp_path: Path) -> None:
    assert left(tmp_path, "(float('nan'), 0.25)").accuracy is None
    assert left(tmp_path, "(0.25, float('inf'))").accuracy is None


def test_anything_else_is_a_fault_of_the_test(tmp_path: Path) -> None:
    for value in ("0.5", "(torch.ones(2), 0.5)"):
        with pytest.raises(GradingFault, match=r"student\.accuracy is two numbers"):
            left(tmp_path, value)
