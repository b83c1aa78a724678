"""What a hidden test can ask in one line: exceptions, output, files, figures, objects, generators, draws, models."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from course_lib.authoring import StudentFailure, StudentNotebook, must_be_distributed
from course_lib.authoring.live import student_of
from course_lib.authoring.probe_source import ProbeSourceError, probe_source, probed_cells
from course_lib.results.failures import BrokenProbe, ParameterMismatch
from course_lib.results.result import Verdict
from tests.support.code import code

CELLS = code("""
    import math, torch
    from torch import nn
    from matplotlib import pyplot as plt

    def root(x):
        if x < 0:
            raise ValueError("negative")
        return math.sqrt(x)

    def todo():
        raise NotImplementedError

    def greet(name, *, loud=False):
        print(name.upper() if loud else name)

    def save(text):
        with open("out.txt", "w") as file:
            file.write(text)

    def plot(losses):
        plt.figure()
        plt.semilogy(losses, label="loss")
        plt.bar([1, 2], [3, 4])
        plt.scatter([1.0], [2.0])
        plt.title("Losses"); plt.xlabel("epoch"); plt.ylabel("loss")
        plt.legend()
        plt.show()

    def picture():
        figure, axes = plt.subplots()
        axes.imshow([[1, 2], [3, 4]])
        return figure

    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 1))

    class Stack:
        def __init__(self, items=()):
            self.items = list(items)

        def push(self, item):
            self.items.append(item)
            return self

        def __len__(self):
            return len(self.items)

    def evens(start=0, *, step=2):
        while True:
            yield start
            start += step

    def uniform():
        return torch.rand(())

    def skewed():
        return torch.rand(()) ** 1.5

    def die():
        return int(torch.randint(1, 7, ()))

    def slow(n):
        return sum(i * i for i in range(n))

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x, *, y):
            return {"a": self.a(x), "b": (self.b(y), y)}

    class Wide(nn.Linear):
        def __init__(self, n, scale=1):
            super().__init__(n, 1, bias=False)
            self.scale = scale

        def forward(self, x):
            return self.scale * super().forward(x)
""")


@pytest.fixture
def student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudentNotebook:
    monkeypatch.chdir(tmp_path)
    cell = tmp_path / "cell.py"
    cell.write_text(CELLS)
    namespace: dict[str, object] = {"In": ["", CELLS]}
    exec(compile(CELLS, str(cell), "exec"), namespace)
    return student_of(namespace)


def detail(ask: Callable[[], object]) -> str:
    """What the student reads about a failure."""
    with pytest.raises(StudentFailure) as failure:
        ask()
    return failure.value.detail


def test_raises(student: StudentNotebook) -> None:
    student.raises("ValueError", "root", -1)
    student.raises("Exception", "root", -1)
    assert "ValueError" in detail(lambda: student.raises("ValueError", "root", 1))
    assert "KeyError" in detail(lambda: student.raises("KeyError", "root", -1))
    assert "TypeError" in detail(lambda: student.raises("TypeError", "math", -1)), "no function at all"
    assert "TypeError" in detail(lambda: student.raises("TypeError", "root")), "other parameters"
    assert "RuntimeError" in detail(lambda: student.raises("RuntimeError", "todo"))


def test_printed(student: StudentNotebook) -> None:
    assert student.printed("greet", "Ada", loud=True) == "ADA\n"


def test_file(student: StudentNotebook) -> None:
    assert student.file("out.txt", "save", "é") == "é".encode()
    Path("out.txt").unlink()  # in a fork, it would be gone
    assert "out.txt" in detail(lambda: student.file("out.txt"))


def test_axes(student: StudentNotebook) -> None:
    [axes] = student.axes("plot", [1.0, 0.1])
    assert (axes.title, axes.xlabel, axes.ylabel, axes.yscale, axes.legend) == (
        "Losses",
        "epoch",
        "loss",
        "log",
        ["loss"],
    )
    assert axes.lines[0]["y"].tolist() == [1.0, 0.1]
    assert [bar["height"] for bar in axes.bars] == [3, 4]
    assert axes.points[0].tolist() == [[1, 2]]
    assert student.axes("picture")[0].images[0].tolist() == [[1, 2], [3, 4]]
    assert "figure" in detail(lambda: student.axes("root", 1))


def test_instance(student: StudentNotebook) -> None:
    stack = student.instance("Stack", [1])
    stack.call("push", 2)
    assert stack.get("items") == [1, 2]
    assert stack.call("__len__") == 2
    assert student.instance("Stack").get("items") == []
    assert "size" in detail(lambda: stack.get("size"))


def test_take(student: StudentNotebook) -> None:
    assert student.take("evens", 3, 10, step=5) == [10, 15, 20]
    assert "float" in detail(lambda: student.take("root", 3, 4))


def test_signature(student: StudentNotebook) -> None:
    parameters = student.signature("evens")
    assert list(parameters) == ["start", "step"]
    assert (parameters["step"].kind, parameters["step"].default) == ("keyword_only", 2)
    assert not student.signature("greet")["name"].has_default


def test_uses(student: StudentNotebook) -> None:
    assert student.uses("root", "sqrt")
    assert student.uses("slow", "comprehension")
    assert student.uses("evens", "while")
    assert not student.uses("root", "while")
    assert not student.uses("nothing", "while")
    assert "math.sqrt" in student.code.source("root")


def test_outputs(student: StudentNotebook) -> None:
    x, y = torch.ones(1, 2), torch.zeros(1, 2)
    weights = {"a.weight": torch.eye(2), "a.bias": torch.ones(2), "b.weight": torch.eye(2), "b.bias": torch.zeros(2)}
    by_name = student.outputs("Two", x, y=y, weights=weights)
    assert by_name["a"].tolist() == [[2, 2]]
    assert by_name["b"][1].tolist() == [[0, 0]]
    by_shape = [weights[name] for name in ("a.bias", "b.bias", "a.weight", "b.weight")]
    assert student.outputs("Two", x, y=y, weights=by_shape)["a"].tolist() == [[2, 2]]
    with pytest.raises(ParameterMismatch):
        student.outputs("Two", x, y=y, weights={"a.weight": torch.eye(2)})
    detail(lambda: student.outputs("root", 1))
    for init in ([3, 2], {"n": 3, "scale": 2}):
        assert student.outputs("Wide", torch.ones(1, 3), init=init, weights=[torch.ones(1, 3)]).tolist() == [[6]]


def test_weights_have_names(student: StudentNotebook) -> None:
    model = torch.nn.Linear(2, 1)
    asked = student_of({"net": model}).weights("net")
    assert asked.by_name.keys() == {"weight", "bias"}
    assert torch.equal(asked.by_name["weight"], model.weight)


def loop(nb: object, n: int) -> int:
    total = 0
    for i in range(10 * n):
        total += i * i
    return total


def test_seconds(student: StudentNotebook) -> None:
    found = student.seconds("slow", 20_000, reference=loop)
    assert 0.01 < found.ratio < 1


# -- distributions -----------------------------------------------------------------------------------------------------


def test_draws_are_compared_with_a_distribution(student: StudentNotebook) -> None:
    must_be_distributed(student.draws("uniform", 3000), lambda x: x, "not uniform")
    must_be_distributed(student.draws("die", 3000), dict.fromkeys(range(1, 7), 1 / 6), "not fair")
    assert detail(lambda: must_be_distributed(student.draws("skewed", 3000), lambda x: x, "skewed")) == "skewed"
    loaded = {1: 0.5} | dict.fromkeys(range(2, 7), 0.1)
    assert detail(lambda: must_be_distributed(student.draws("die", 3000), loaded, "fair")) == "fair"
    suspects = {
        "like two dice": {n: (6 - abs(n - 7)) / 36 for n in range(2, 13)},
        "all equal": {n: 1 / 6 for n in range(1, 7)},
    }
    assert detail(lambda: must_be_distributed(student.draws("die", 3000), loaded, suspects=suspects)) == "all equal"
    short = dict.fromkeys(range(1, 6), 1 / 5)
    assert detail(lambda: must_be_distributed(student.draws("die", 3000), short, "six")) == "six"
    assert "float" in detail(lambda: student.draws("Stack", 3))


@pytest.mark.parametrize("n", [5, 100])
def test_right_draws_fail_as_rarely_as_stated(n: int) -> None:
    """The bound is tried where it can be seen: 2000 right samples at a false-fail rate of 5 percent."""
    generator = torch.Generator().manual_seed(0)

    def failed(expected: object, draws: torch.Tensor) -> bool:
        try:
            must_be_distributed(draws, expected, "no", false_fail=0.05)  # type: ignore[arg-type]
        except StudentFailure:
            return True
        return False

    for expected, draw in (
        (lambda x: x, lambda: torch.rand(n, generator=generator)),
        ({0: 0.3, 1: 0.7}, lambda: (torch.rand(n, generator=generator) < 0.7).double()),
    ):
        fails = sum(failed(expected, draw()) for _ in range(2000))
        assert fails <= 2000 * 0.05 + 5 * math.sqrt(2000 * 0.05)


# -- the source of a probe ---------------------------------------------------------------------------------------------

SCALE = 3


def helper(x: int) -> int:
    return SCALE * x


def with_helper(nb: object, x: "torch.Tensor") -> int:
    return helper(x) + math.floor(0.5)


def with_hidden_import(nb: object) -> object:
    return probe_source(loop)


def test_a_probe_brings_what_it_uses_of_its_file() -> None:
    source, name = probe_source(with_helper)
    lines = source.splitlines()
    assert name == "with_helper"
    assert [line for line in lines if line.startswith(("import", "from", "SCALE", "def"))] == [
        "import math",
        "SCALE = 3",
        "def helper(x: int) -> int:",
        'def with_helper(nb: object, x: "torch.Tensor") -> int:',
    ]
    assert lines[with_helper.__code__.co_firstlineno - 1].startswith("def with_helper")
    assert student_of({}).run(with_helper, 2) == 6


@pytest.mark.parametrize(
    ("probe", "why"),
    [
        (lambda nb: 1, "write it with def"),
        (math.floor, "write it with def"),
        (with_hidden_import, r"imports from course_lib\.authoring"),
    ],
)
def test_a_probe_that_cannot_be_sent_is_named(probe: Callable[..., object], why: str) -> None:
    with pytest.raises(ProbeSourceError, match=why):
        probe_source(probe)


def test_cells_with_probes_are_found(tmp_path: Path) -> None:
    for name, text in {
        "asks": "student.call('f')",
        "probes": "student.run(f)",
        "folder/test_it": "s.axes('f')",
    }.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    tests = {"asks": tmp_path / "asks.py", "probes": tmp_path / "probes.py", "folder": tmp_path / "folder"}
    assert probed_cells(tests) == {"probes", "folder"}
    (tmp_path / "conftest.py").write_text("def helper(student):\n    return student.printed('f')\n")
    assert probed_cells(tests) == set(tests)


def operates(nb: object, what: str) -> object:
    if what == "model":
        return nb.net(torch.ones(1, 5))  # type: ignore[attr-defined]
    if what == "call":
        return nb.Stack().items()  # type: ignore[attr-defined]
    stack = nb.Stack([1])  # type: ignore[attr-defined]
    if what == "operator":
        return 2 * stack
    if what == "attribute":
        return stack.height
    if what == "nothing":
        found = nb.greet("Ada")  # type: ignore[attr-defined]
        return found["loss"]
    return {}["loss"]


# -- whose fault it is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["operator", "attribute", "nothing", "model", "call"])
def test_what_an_object_of_the_students_lacks_is_their_fault(what: str, student: StudentNotebook) -> None:
    assert detail(lambda: student.run(operates, what))


def test_any_other_exception_of_a_probe_is_its_authors(student: StudentNotebook) -> None:
    with pytest.raises(BrokenProbe):
        student.run(operates, "key")


def wants_a_dict(nb: object, name: str, x: float) -> object:
    return getattr(nb, name)(x)["loss"]


@pytest.mark.parametrize(
    ("name", "x", "verdict"),
    [
        ("root", -1, Verdict.ERROR),
        ("evens", 1, None),
        ("greet", 1, None),
        ("Two", 1, Verdict.ERROR),
        ("no", 1, Verdict.ERROR),
    ],
)
def test_an_exception_is_the_students_or_the_authors(
    name: str, x: float, verdict: Verdict | None, student: StudentNotebook
) -> None:
    with pytest.raises(BrokenProbe if verdict is None else StudentFailure) as raised:
        student.run(wants_a_dict, name, x)
    if isinstance(raised.value, StudentFailure):
        assert raised.value.verdict is verdict
    else:
        assert raised.value.line == wants_a_dict.__code__.co_firstlineno + 1
