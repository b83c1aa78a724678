"""The hidden tests themselves: complete, in both languages, and never at the student's cost."""

from pathlib import Path

import pytest

from course_lib.grading.assignment import NotebookSpec
from course_lib.grading.authoring import hidden_tests, student_of
from course_lib.grading.demo_class import CODE, OTHER_SPELLINGS, right_answers
from course_lib.grading.errors import AssignmentError, GradingFault
from course_lib.grading.hidden import collect_hidden_tests, run_hidden_tests
from course_lib.grading.result import Verdict

UNTRAINED = [name for name in ("dimensions", "one_hot", "softmax", "argmax", "dnn", "cnn", "cnn2")]
IMPORTS = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\nx_train = torch.zeros(60000, 28, 28)\n"


def namespace_of(answers: dict[str, str]) -> dict[str, object]:
    namespace: dict[str, object] = {}
    exec(IMPORTS, namespace)
    for name in CODE:
        exec(answers.get(name, ""), namespace)
    return namespace


def test_every_grade_cell_has_tests_whose_points_add_up(spec: NotebookSpec) -> None:
    collected = collect_hidden_tests(list(spec.tests.values()))
    assert {name: cell.points for name, cell in collected.items()} == {c.grade_id: c.points for c in spec.automatic}


def test_every_rationale_is_in_both_languages(spec: NotebookSpec) -> None:
    for cell in collect_hidden_tests(list(spec.tests.values())).values():
        for test in cell.tests:
            assert test.rationale.fr.endswith(".")
            assert test.rationale.en.endswith(".")
            assert test.rationale.fr != test.rationale.en


@pytest.mark.parametrize("spelling", ["source", "other"])
@pytest.mark.parametrize("name", UNTRAINED)
def test_right_answers_pass_on_a_namespace(
    spec: NotebookSpec, name: str, spelling: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The author's way: the last lines of a grade cell in the source notebook."""
    monkeypatch.chdir(root / "source" / "mnist1")
    answers = right_answers(spec) | (OTHER_SPELLINGS if spelling == "other" else {})
    hidden_tests("mnist1", f"test_{name}", namespace_of(answers))


def test_a_wrong_answer_raises_for_the_author(spec: NotebookSpec, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    wrong = right_answers(spec) | {"softmax": "def class_probabilities(logits):\n    return F.softmax(logits, dim=0)"}
    with pytest.raises(AssertionError, match="test_rows_sum_to_one"):
        hidden_tests("mnist1", "test_softmax", namespace_of(wrong))
    with pytest.raises(FileNotFoundError, match="test_nothing"):
        hidden_tests("mnist1", "test_nothing", {})


WRONG = {
    "one_hot": [
        ("def one_hot(labels):\n    return F.one_hot(labels, 10)", 0.75),
        ("def one_hot(labels):\n    return F.one_hot(labels).float()", 0.75),
        ("def one_hot(labels):\n    return torch.ones(len(labels), 10)", 0),
        ("def one_hot(labels):\n    return F.one_hot(labels, 10).float().T", 0),
        ("def one_hot(labels):\n    return None", 0),
        ("def one_hot(labels):\n    return F.one_hot(9 - labels, 10).float()", 0),
    ],
    "softmax": [
        ("def class_probabilities(logits):\n    return F.softmax(logits, dim=0)", 0),
        ("def class_probabilities(logits):\n    return F.log_softmax(logits, dim=1)", 0),
        ("def class_probabilities(logits):\n    e = logits.exp()\n    return e / e.sum(1, keepdim=True)", 1.5),
        ("def class_probabilities(logits):\n    return logits / logits.sum(1, keepdim=True)", 0),
        ("def class_probabilities(logits):\n    return torch.full_like(logits, 0.1)", 0.5),
        ("def class_probabilities(logits):\n    return F.softmax(logits.squeeze(), -1)", 1.5),
    ],
    "argmax": [
        ("def predict_labels(y):\n    return y.argmax(0)\ndef accuracy(y, labels):\n    return 1.0", 0),
        ("def predict_labels(y):\n    return y.argmax(1)\ndef accuracy(y, labels):\n    return 100 * (y.argmax(1) == labels).float().mean().item()", 1),
        ("def predict_labels(y):\n    return y.argmax(1)\ndef accuracy(y, labels):\n    return (y.argmax(1) == labels).sum().item()", 1),
        ("def predict_labels(y):\n    return y.max(1)[0]\ndef accuracy(y, labels):\n    return (y.argmax(1) == labels).float().mean().item()", 1),
    ],
    "dnn": [
        ("class DNN(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = nn.Linear(784, 100)\n        self.b = nn.Linear(100, 100)\n        self.c = nn.Linear(100, 10)\n    def forward(self, x):\n        return " + forward, points)
        for forward, points in (
            ("F.softmax(self.c(F.relu(self.b(F.relu(self.a(x.view(-1, 784)))))), 0)", 0.25),
            ("F.softmax(self.c(F.relu(self.b(F.relu(self.a(x.view(-1, 784)))))), 1)", 0.5),
            ("self.c(self.b(F.relu(self.a(x.view(-1, 784)))))", 0.5),
            ("self.c(F.relu(self.b(torch.sigmoid(self.a(x.view(-1, 784))))))", 0.5),
            ("self.c(F.relu(self.b(F.relu(self.a(x.transpose(1, 2).reshape(-1, 784))))))", 0.5),
            ("self.c(F.relu(self.b(F.relu(self.a(x.view(-1, 784) - x.mean())))))", 0.25),
            ("self.c(F.relu(self.b(F.relu(self.a(x)))))", 0),
        )
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "answer", "points"), [(name, answer, points) for name, rows in WRONG.items() for answer, points in rows]
)
def test_wrong_answers_earn_what_is_written(spec: NotebookSpec, name: str, answer: str, points: float) -> None:
    namespace = namespace_of({name: answer})
    path = spec.tests[f"test_{name}"]
    result = run_hidden_tests([path], lambda _: student_of(namespace))[f"test_{name}"]
    assert result.score == points, [(test.name, test.verdict, test.note) for test in result.tests]


def write(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "test_cell.py"
    path.write_text("from course_lib.grading.hidden import hidden_test\n\n" + text)
    return path


MARK = '@hidden_test(1, fr="Un.", en="One.")\n'


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (MARK + "def test_a(student):\n    raise KeyError('oops')\n", "oops"),
        (MARK + "def test_a(student, no_such_fixture):\n    pass\n", "no_such_fixture"),
        (MARK + "def test_a(student):\n    student.no_such_question()\n", "no_such_question"),
    ],
)
def test_a_hidden_test_that_fails_by_itself_is_a_fault_not_a_zero(tmp_path: Path, text: str, word: str) -> None:
    path = write(tmp_path / "a", text)
    with pytest.raises(GradingFault, match=word) as caught:
        run_hidden_tests([path], lambda _: student_of({}))
    assert "test_cell.py" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["import no_such_module\n", "def test_a(student):\n    pass\n", "def test_a(:\n", "\n"]
)
def test_a_hidden_test_that_cannot_be_collected_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(AssignmentError, match=r"test_cell\.py"):
        collect_hidden_tests([write(tmp_path / "a", text)])


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("f = lambda x: x + 1", Verdict.PASSED),
        ("f = lambda x: x", Verdict.FAILED),
        ("f = lambda x: None", Verdict.FAILED),
        ("f = lambda x: float('nan')", Verdict.FAILED),
        ("f = lambda x: 10 ** 9", Verdict.FAILED),
        ("def f(x):\n    print(1.0)", Verdict.FAILED),
        ("def f(x):\n    raise ValueError(x)", Verdict.ERROR),
        ("def f(x):\n    raise SystemExit", Verdict.ERROR),
        ("def f(x):\n    raise MemoryError", Verdict.OUT_OF_MEMORY),
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


def test_an_exception_does_not_carry_the_hidden_inputs_to_the_student(tmp_path: Path) -> None:
    path = write(tmp_path / "a", MARK + "def test_a(student):\n    assert student.number('f', 31337.0) == 2.0\n")
    source = "def f(x):\n    raise type(f'E{x}'.replace('.', '_'), (Exception,), {})(x)"
    namespace: dict[str, object] = {}
    exec(source, namespace)
    (test,) = run_hidden_tests([path], lambda _: student_of(namespace))["test_cell"].tests
    assert "31337" not in test.hint
    assert "31337" in test.note
