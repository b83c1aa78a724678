"""The visible self-checks: what a student sees."""

import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from torch import nn

from course_lib import CheckFailed, check
from course_lib.cards import show_to_do_calmly
from course_lib.messages import set_language

# What a student's notebook defines: `check` looks names up in the globals of its caller, here this module.


def halves(x: torch.Tensor) -> torch.Tensor:
    return x / 2


def same(x: object) -> object:
    return x


def raises(x: torch.Tensor) -> torch.Tensor:
    raise ValueError("no such thing")


def multiplied(x: torch.Tensor) -> torch.Tensor:
    return x @ x


def below_torch(x: torch.Tensor) -> torch.Tensor:
    return nn.Linear(2, 3)(x)


def calls_below_torch(x: torch.Tensor) -> torch.Tensor:
    return below_torch(x)


exec("def without_source(x):\n    return x @ x", globals())


def misspelled(label: int) -> int:
    return labels  # type: ignore[name-defined,no-any-return] # noqa: F821


def returns_nothing(x: int) -> None:
    pass


def maximum_and_index(x: torch.Tensor) -> object:
    return x.max(dim=1)


def is_largest(x: torch.Tensor) -> torch.Tensor:
    return x == x.max(dim=1, keepdim=True).values


def sparse(x: torch.Tensor) -> torch.Tensor:
    return x.to_sparse()


def unfinished(x: torch.Tensor) -> torch.Tensor:
    raise NotImplementedError


def random_numbers(n: int) -> torch.Tensor:
    return torch.rand(n)


def with_gradient(x: torch.Tensor) -> torch.Tensor | None:
    w = torch.zeros(1, requires_grad=True)
    (w * x - 1).square().sum().backward()
    return w.grad


class OnCard(torch.Tensor):
    """Behaves like a tensor on a GPU that cannot compute with float64, such as Apple's."""

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.Tensor.cpu:
            return args[0].as_subclass(torch.Tensor)
        if function in (torch.Tensor.double, torch.allclose):
            raise RuntimeError("Expected all tensors to be on the same device")
        return super().__torch_function__(function, types, args, kwargs)


def on_card(x: torch.Tensor) -> torch.Tensor:
    return x.as_subclass(OnCard)


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :2]


class WithoutForward(nn.Module):
    def Forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class WithArgument(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()


class Unfinished(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


class NoModel:
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


number: object = 3
nothing = None
size_method = torch.ones(2).size
index_method = ["one"].index
layer = nn.Linear(2, 3)
Layer = nn.Softmax

HINT = ("moitié", "half")


def line_of(function: Callable[..., object]) -> int:
    """The number of the line below ``def``."""
    return function.__code__.co_firstlineno + 1


def failure(name: str, *args: object, **expected: Any) -> str:
    """The card of a check that must fail, as text."""
    with pytest.raises(CheckFailed) as caught:
        check(name, *args, **expected)
    return str(caught.value)


# -- what a card says -------------------------------------------------------------------------------------------------


def test_a_passed_check_shows_the_call_and_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    check("halves", torch.ones(2), shape=(2,), dtype=torch.float32, equals=torch.tensor([0.5, 0.5]))
    text = capsys.readouterr().out
    for part in ("Semble juste jusqu'ici", "halves(float32 (2,) [1, 1])", "[0.5, 0.5]", "vérifie davantage"):
        assert part in text


ONES = torch.ones(2)


@pytest.mark.parametrize(
    ("call", "expected", "parts"),
    [
        (("halves", ONES), {"shape": (3,)}, ("(3,)", "(2,)")),
        (("halves", ONES), {"dtype": torch.int64}, ("torch.int64",)),
        (("halves", ONES), {"equals": ONES, "hint": HINT}, ("Cause probable : moitié",)),
        (("halves", ONES), {"holds": lambda x: x.sum() == 2}, ("valeurs",)),
        (("halves", ONES), {"type": float}, ("on attend float, et non Tensor",)),
        (("maximum_and_index", torch.ones(2, 2)), {"shape": (2,)}, ("prenez .values ou .indices",)),
        (("sparse", ONES), {"equals": ONES}, ("float32 (2,)", ".to_dense()")),
        (("sparse", ONES), {"shape": (2,)}, (".to_dense()",)),
        (("same", True), {"type": int}, ("on attend int, et non bool",)),
        (("returns_nothing", 1), {"equals": 2}, ("il manque return",)),
        (("returns_nothing", 1), {"holds": bool}, ("il manque return",)),
        (("returns_nothing", 1), {"shape": (2,), "hint": HINT}, ("il manque return",)),
        (("size_method",), {"type": int}, ("il manque ()",)),
        (("number",), {"equals": 4, "hint": HINT}, ("Variable : number", "3", "Cause probable : moitié")),
        (("number",), {"dtype": torch.int64}, ("on attend Tensor, et non int",)),
        (("Layer", torch.ones(2, 3)), {"shape": (2, 3)}, ("une couche ou un modèle : appelez-le",)),
    ],
)
def test_a_wrong_result_is_shown_with_a_cause(
    call: tuple[Any, ...], expected: dict[str, Any], parts: tuple[str, ...]
) -> None:
    text = failure(*call, **expected)
    for part in ("Pas encore", *parts):
        assert part in text


@pytest.mark.parametrize(
    ("call", "expected", "parts"),
    [
        (("raises", ONES), {}, ("ValueError: no such thing",)),
        (("raises", ONES), {"hint": HINT}, (f"à la ligne {line_of(raises)}",)),
        (("WithoutForward", ONES), {"hint": HINT}, ("NotImplementedError: Module [WithoutForward]", "pas de méthode forward")),
        (("halves", 1, 2), {"hint": HINT}, ("TypeError", "d'autres arguments que ceux")),
        (("WithArgument", ONES), {}, ("TypeError", "d'autres arguments que ceux")),
        (("number", 1), {"hint": HINT}, ("TypeError", "n'est pas une fonction")),
        (("misspelled", 1), {}, ("NameError", "une cellule qui n'a pas été exécutée")),
        (("NoModel", ONES), {"hint": HINT}, ("une classe qui hérite de nn.Module",)),
        (("index_method", "two"), {"hint": HINT}, ("ValueError", "Cause probable : moitié")),
        (("multiplied", torch.ones(2, 3)), {}, (f"ligne {line_of(multiplied)} (return x @ x) de sa cellule, une couche linéaire",)),
        (("calls_below_torch", torch.ones(2, 3)), {}, (f"ligne {line_of(below_torch)} (return nn.Linear(2, 3)(x)) de sa cellule, une couche",)),
        (("without_source", torch.ones(2, 3)), {}, ("ligne 2 de sa cellule, une couche",)),
    ],
)  # fmt: skip
def test_an_error_is_shown_with_its_line_and_a_cause(
    call: tuple[Any, ...], expected: dict[str, Any], parts: tuple[str, ...]
) -> None:
    text = failure(*call, **expected)
    for part in ("Pas encore", *parts):
        assert part in text


@pytest.mark.parametrize(
    ("call", "expected", "parts"),
    [
        (
            ("is_largest", torch.eye(2)),
            {"holds": lambda x: x.argmax(dim=1).tolist() == [0, 1]},
            ("Obtenu : bool (2, 2)", "does not support bool", "convertissez avec .float()"),
        ),
        (("halves", ONES), {"holds": lambda x: x[2] > 0, "hint": HINT}, ("Erreur levée : IndexError",)),
        (
            ("same", "two"),
            {"holds": index_method, "hint": HINT},
            ("Erreur levée : ValueError", "Cause probable : moitié"),
        ),
    ],
)
def test_a_property_that_raises_is_shown_as_a_wrong_result(
    call: tuple[Any, ...], expected: dict[str, Any], parts: tuple[str, ...]
) -> None:
    text = failure(*call, **expected)
    for part in ("Pas encore", *parts):
        assert part in text


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (("unfinished", ONES), ("unfinished contient encore",)),
        (("Unfinished", ONES), ("Prochaine étape : Unfinished contient encore",)),
        (("absent", ONES), ("absent", "doit définir ce nom")),
        (("nothing",), ("nothing", "vaut None")),
    ],
)
def test_an_unfinished_answer_is_a_task_and_no_failure(call: tuple[Any, ...], parts: tuple[str, ...]) -> None:
    text = failure(*call)
    for part in ("À faire", *parts):
        assert part in text


@pytest.mark.parametrize(
    ("call", "expected"), [(("index_method", "two"), {}), (("same", "two"), {"holds": index_method})]
)
def test_an_unknown_error_without_a_hint_has_no_cause(call: tuple[Any, ...], expected: dict[str, Any]) -> None:
    text = failure(*call, **expected)
    assert "ValueError" in text
    assert "Cause" not in text


def test_a_hint_is_shown_only_where_it_applies() -> None:
    """It explains wrong values, or the type that the check names. Any other wrong type needs no further explanation."""
    hint = ("une fraction, en float", "a fraction, a float")
    assert "une fraction" not in failure("halves", ONES, dtype=torch.int64, hint=hint)
    assert "une fraction" not in failure("number", shape=(2,), hint=hint)
    assert "une fraction" in failure("number", type=float, hint=hint)
    assert "une fraction" in failure("halves", ONES, shape=(3,), hint=hint)
    assert failure("number", equals=4, hint=("une fraction ?", "?")).endswith("une fraction ?")


def test_a_check_speaks_english_on_request() -> None:
    set_language("en")
    text = failure("number", equals=4)
    assert "Not yet" in text
    assert "✗ these are not the expected values." in text
    assert "Likely cause" not in text, "no cause is known"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (torch.ones(31), "float32 (31,)"),
        (torch.tensor([[True, False]]), "bool (1, 2) [[True, False]]"),
        (torch.tensor([1 / 3, 2]), "float32 (2,) [0.3333, 2]"),
        ("a" * 200, "'" + "a" * 116 + "..."),
        (nn.Linear(2, 3), "Linear"),
    ],
)
def test_a_value_is_shown_in_one_short_line(capsys: pytest.CaptureFixture[str], value: object, shown: str) -> None:
    check("same", value)
    assert f"Obtenu : {shown}\n" in capsys.readouterr().out


def test_a_card_escapes_html(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "number", "<script>alert(1)</script>")
    with pytest.raises(CheckFailed) as caught:
        check("number", type=int)
    html = caught.value.card._repr_html_()
    assert "<script>" not in html
    assert html.count("<code>") == 3, "for the name, the call and the result; the cause is a sentence"


# -- comparisons ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.5, 0.50001, "0.5", (0.5,), torch.tensor(0.5), torch.tensor([1.0, 2.0]), [0.5], 3])
@pytest.mark.parametrize("equals", [0.5, 3, "0.5", torch.tensor([1.0, 2.0]), [0.5]])
def test_values_of_different_types_are_not_equal(
    monkeypatch: pytest.MonkeyPatch, value: object, equals: object
) -> None:
    monkeypatch.setitem(globals(), "number", value)
    if repr(value) == repr(equals):
        check("number", equals=equals)
    else:
        text = failure("number", equals=equals)
        assert "Pas encore" in text
        assert "Erreur levée" not in text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.ones(2), {"type": np.ndarray, "shape": (2,), "dtype": np.float64, "equals": np.array([1.0, 1.00001])}),
        (np.array(["a", "b"]), {"equals": np.array(["a", "b"])}),
        (np.int64(3), {"type": int, "equals": 3}),
        (np.float32(3), {"type": float, "equals": 3.0}),
        (np.float64(3), {"type": np.float64}),
        ([0.1 + 0.2, np.int64(3)], {"equals": [0.3, 3]}),
        (torch.ones(2), {"equals": torch.full((2,), 1.00005)}),
        (torch.tensor([1, 2]), {"equals": torch.tensor([1.0, 2.0])}),
        ({"a": (torch.ones(2),)}, {"equals": {"a": (torch.ones(2),)}}),
    ],
)
def test_equal_values_pass_up_to_rounding(value: object, expected: dict[str, Any]) -> None:
    check("same", value, **expected)


@pytest.mark.parametrize(
    ("value", "expected", "part"),
    [
        (np.ones(2), {"type": np.ndarray, "shape": (3,)}, "(3,)"),
        (np.ones(2), {"type": np.ndarray, "dtype": np.int64}, "float64"),
        (np.ones(2), {"equals": np.ones(3)}, "valeurs"),
        (np.ones((2, 1)), {"equals": np.ones(2)}, "valeurs"),
        (np.ones(2), {"equals": np.ones(2) + 0.001}, "valeurs"),
        (torch.ones(2, 1), {"equals": torch.ones(2)}, "valeurs"),
        (torch.ones(2), {"equals": torch.ones(2) + 0.001}, "valeurs"),
        (np.ones(1), {"equals": np.array(["a"])}, "valeurs"),
        (np.array(["a"]), {"equals": np.ones(1)}, "valeurs"),
        (np.float64(3), {"type": int}, "int"),
        ([0.3], {"equals": [0.3, 0.3]}, "valeurs"),
        ([0.3, 0.4], {"equals": [0.3, 0.3]}, "valeurs"),
        ({"a": [0.3]}, {"equals": {"a": [0.4]}}, "valeurs"),
        ({"a": [0.3]}, {"equals": {"b": [0.3]}}, "valeurs"),
    ],
)
def test_different_values_are_refused(value: object, expected: dict[str, Any], part: str) -> None:
    assert part in failure("same", value, **expected)


def test_a_tensor_on_a_gpu_is_compared(capsys: pytest.CaptureFixture[str]) -> None:
    check("on_card", torch.ones(2), shape=(2,), dtype=torch.float32, equals=torch.ones(2))
    assert "Semble juste" in capsys.readouterr().out
    assert "Pas encore" in failure("on_card", torch.zeros(2), equals=torch.ones(2))


# -- how the subject is called ----------------------------------------------------------------------------------------


def test_a_model_computes_without_gradients() -> None:
    check("layer", torch.ones(2), holds=lambda y: not y.requires_grad)


def test_a_function_may_compute_gradients() -> None:
    check("with_gradient", torch.ones(2), equals=torch.tensor([-4.0]))


def test_a_model_class_is_instantiated() -> None:
    check("Model", torch.rand(3, 5), shape=(3, 2))


def test_a_check_leaves_torchs_random_numbers_alone() -> None:
    check("random_numbers", 3, equals=torch.rand(3, generator=torch.Generator().manual_seed(0)))
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    check("halves", ONES)
    assert torch.equal(torch.rand(1), expected)


# -- in a notebook ----------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    """The shell of a notebook, in which the checks run."""
    shell = InteractiveShell(HistoryManager={"enabled": False})
    for module in ("cards", "checks"):
        monkeypatch.setattr(f"course_lib.{module}.get_ipython", lambda: shell)
    return shell


def test_a_check_below_a_syntax_error_says_so(shell: InteractiveShell) -> None:
    """The name that the cell defined earlier is still there, and would pass."""
    shell.run_cell("def halves(x)")
    assert "n'est pas du Python valide" in failure("halves", ONES)


@pytest.mark.parametrize("cell", ["1 / 0", "1"])
def test_a_check_below_another_cell_runs(shell: InteractiveShell, cell: str) -> None:
    shell.run_cell(cell)
    check("halves", ONES)


def test_a_check_below_an_interrupted_cell_runs(shell: InteractiveShell) -> None:
    shell.run_cell("1")
    shell.last_execution_result.error_before_exec = KeyboardInterrupt()
    check("halves", ONES)


@pytest.mark.parametrize("cell", ["raise NotImplementedError", "from course_lib import check\ncheck('absent')"])
def test_what_is_to_do_is_a_card_and_no_error(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str
) -> None:
    """An error would stop "Run all"."""
    show_to_do_calmly()
    assert shell.run_cell(cell).success
    said = capsys.readouterr().out
    assert said.startswith("… À faire (")
    assert "Prochaine étape : " in said
    assert len(said.splitlines()) == 2


def test_what_is_to_do_is_an_error_for_nbgrader(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise, its "Validate" would be content with an untouched notebook."""
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    show_to_do_calmly()
    assert not shell.run_cell("raise NotImplementedError").success
    assert "À faire" in capsys.readouterr().out.splitlines()[0]


def test_another_not_implemented_error_has_a_traceback(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    show_to_do_calmly()
    shell.run_cell("raise NotImplementedError('of another library')")
    assert len(capsys.readouterr().out.splitlines()) > 3


def test_a_failed_check_shows_its_card_and_one_line(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = """
        from course_lib import check
        one = 1
        check("one", type=float)
    """
    show_to_do_calmly()
    assert not shell.run_cell(textwrap.dedent(cell)).success
    *card, line = capsys.readouterr().out.splitlines()
    assert line == "✗ Pas encore (one)"
    assert card == ["✗ Pas encore (one)", "  ✗ on attend float, et non int.", "  Variable : one", "  Obtenu : 1"]
