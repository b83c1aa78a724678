"""The visible self-checks: what a student sees."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from torch import nn

from course_lib import CheckFailed, check
from course_lib.checks import show_to_do_in_one_line
from course_lib.messages import set_language

halves: object
broken: object
unfinished: object
Model: object
number: object
nothing = None
size = torch.ones(2).size
finds = ["one"].index
layer = nn.Linear(2, 3)


def halves(x: torch.Tensor) -> torch.Tensor:  # type: ignore[no-redef]
    return x / 2


def broken(x: torch.Tensor) -> torch.Tensor:  # type: ignore[no-redef]
    raise ValueError("no such thing")


def multiplied(x: torch.Tensor) -> torch.Tensor:
    return x @ x


def misspelled(label: int) -> int:
    return labels  # type: ignore[name-defined,no-any-return] # noqa: F821


def silent(x: int) -> None:
    pass


def both(x: torch.Tensor) -> object:
    return x.max(dim=1)


def largest(x: torch.Tensor) -> torch.Tensor:
    return x == x.max(dim=1, keepdim=True).values


def sparse(x: torch.Tensor) -> torch.Tensor:
    return x.to_sparse()


def unfinished(x: torch.Tensor) -> torch.Tensor:  # type: ignore[no-redef]
    raise NotImplementedError


def below_torch(x: torch.Tensor) -> torch.Tensor:
    return nn.Linear(2, 3)(x)


def calls(x: torch.Tensor) -> torch.Tensor:
    return below_torch(x)


exec("def unseen(x):\n    return x @ x", globals())


LINE = broken.__code__.co_firstlineno + 1  # type: ignore[attr-defined]


Layer = nn.Softmax


class NoModel:
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Empty(nn.Module):
    """Its forward is misspelled."""

    def Forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Sized(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()


class Unfinished(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


class Model(nn.Module):  # type: ignore[no-redef]
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :2]


number = 3


def said(action: Callable[[], None]) -> str:
    with pytest.raises(CheckFailed) as caught:
        action()
    return str(caught.value)


def test_right_says_what_was_called_and_what_came_back(capsys: pytest.CaptureFixture[str]) -> None:
    check("halves", torch.ones(2), shape=(2,), dtype=torch.float32, equals=torch.tensor([0.5, 0.5]))
    text = capsys.readouterr().out
    for part in ("Correct", "halves(float32 (2,) [1, 1])", "[0.5, 0.5]"):
        assert part in text


@pytest.mark.parametrize(
    ("action", "parts"),
    [
        (lambda: check("halves", torch.ones(2), shape=(3,)), ("Pas encore", "(3,)", "(2,)")),
        (lambda: check("halves", torch.ones(2), dtype=torch.int64), ("Pas encore", "torch.int64")),
        (
            lambda: check("halves", torch.ones(2), equals=torch.ones(2), hint=("moitié", "half")),
            ("Pas encore", "Moitié"),
        ),
        (lambda: check("halves", torch.ones(2), holds=lambda x: x.sum() == 2), ("Pas encore",)),
        (lambda: check("halves", torch.ones(2), type=float), ("Pas encore", "float", "Tensor")),
        (lambda: check("broken", torch.ones(2)), ("Pas encore", "ValueError: no such thing")),
        (lambda: check("broken", torch.ones(2), hint=("moitié", "half")), (f"à la ligne {LINE}",)),
        (lambda: check("Layer", torch.ones(2, 3), shape=(2, 3)), ("Pas encore", "Tensor")),
        (
            lambda: check("Empty", torch.ones(2), hint=("moitié", "half")),
            ("NotImplementedError: Module [Empty]", "pas de méthode forward"),
        ),
        (lambda: check("halves", 1, 2, hint=("moitié", "half")), ("TypeError", "d'autres arguments que ceux")),
        (lambda: check("number", 1, hint=("moitié", "half")), ("TypeError", "n'est pas une fonction")),
        (
            lambda: check("multiplied", torch.ones(2, 3)),
            (f"ligne {LINE + 4} (return x @ x) de sa cellule, une couche linéaire",),
        ),
        (
            lambda: check("calls", torch.ones(2, 3)),
            (f"ligne {below_torch.__code__.co_firstlineno + 1} (return nn.Linear(2, 3)(x)) de sa cellule, une couche",),
        ),
        (lambda: check("unseen", torch.ones(2, 3)), ("ligne 2 de sa cellule, une couche",)),
        (lambda: check("Sized", torch.ones(2)), ("TypeError", "d'autres arguments que ceux")),
        (lambda: check("both", torch.ones(2, 2), shape=(2,)), ("on attend Tensor, et non tuple",)),
        (
            lambda: check("largest", torch.eye(2), holds=lambda x: x.argmax(dim=1).tolist() == [0, 1]),
            ("Obtenu : bool (2, 2)", "does not support bool", "convertissez avec .float()"),
        ),
        (
            lambda: check("halves", torch.ones(2), holds=lambda x: x[2] > 0, hint=("moitié", "half")),
            ("Pas encore", "Erreur levée : IndexError"),
        ),
        (
            lambda: check("same", "two", holds=finds, hint=("moitié", "half")),
            ("Pas encore", "Erreur levée : ValueError", "Cause probable : moitié"),
        ),
        (lambda: check("sparse", torch.ones(2), equals=torch.ones(2)), ("float32 (2,)", ".to_dense()")),
        (lambda: check("misspelled", 1), ("NameError", "une cellule qui n'a pas été exécutée")),
        (lambda: check("NoModel", torch.ones(2), hint=("moitié", "half")), ("une classe qui hérite de nn.Module",)),
        (lambda: check("unfinished", torch.ones(2)), ("À faire", "unfinished contient encore")),
        (lambda: check("Unfinished", torch.ones(2)), ("À faire", "Cause probable : Unfinished contient encore")),
        (lambda: check("absent", torch.ones(2)), ("À faire", "absent", "doit définir ce nom")),
        (lambda: check("nothing"), ("À faire", "nothing", "vaut None")),
        (lambda: check("size", type=int), ("Pas encore", "il manque ()")),
        (
            lambda: check("number", equals=4, hint=("moitié", "half")),
            ("Pas encore", "Variable : number", "3", "Moitié."),
        ),
        (lambda: check("number", dtype=torch.int64), ("Pas encore", "on attend Tensor, et non int")),
        (lambda: check("sparse", torch.ones(2), shape=(2,)), ("Pas encore", ".to_dense()")),
        (lambda: check("same", True, type=int), ("Pas encore", "on attend int, et non bool")),
        (lambda: check("finds", "two", hint=("moitié", "half")), ("ValueError", "Cause probable : moitié")),
        (lambda: check("silent", 1, equals=2), ("Pas encore", "il manque return")),
        (lambda: check("silent", 1, holds=bool), ("Pas encore", "il manque return")),
        (lambda: check("silent", 1, shape=(2,), hint=("moitié", "half")), ("Pas encore", "il manque return")),
    ],
)
def test_anything_else_says_what_and_why(action: Callable[[], None], parts: tuple[str, ...]) -> None:
    text = said(action)
    for part in parts:
        assert part in text


def test_where_no_cause_is_known_none_is_shown() -> None:
    for action in (lambda: check("finds", "two"), lambda: check("same", "two", holds=finds)):
        text = said(action)
        assert "ValueError" in text
        assert "Cause" not in text


def test_a_hint_is_no_cause_of_what_it_does_not_tell_of() -> None:
    """It tells of the values, or of the type that the check names; the sentence on any other type says it all."""
    hint = ("une fraction, en float", "a fraction, a float")
    assert "Une fraction" not in said(lambda: check("halves", torch.ones(2), dtype=torch.int64, hint=hint))
    assert "Une fraction" not in said(lambda: check("number", shape=(2,), hint=hint))
    assert "Une fraction" in said(lambda: check("number", type=float, hint=hint))
    assert "Une fraction" in said(lambda: check("halves", torch.ones(2), shape=(3,), hint=hint))
    assert "Une fraction ?\n" in said(lambda: check("number", equals=4, hint=("une fraction ?", "?"))) + "\n"


@pytest.mark.parametrize("value", [0.5, 0.50001, "0.5", (0.5,), torch.tensor(0.5), torch.tensor([1.0, 2.0]), [0.5], 3])
@pytest.mark.parametrize("equals", [0.5, 3, "0.5", torch.tensor([1.0, 2.0]), [0.5]])
def test_what_is_of_another_kind_is_not_yet_right(
    monkeypatch: pytest.MonkeyPatch, value: object, equals: object
) -> None:
    monkeypatch.setitem(globals(), "number", value)
    if repr(value) == repr(equals):
        check("number", equals=equals)
    else:
        text = said(lambda: check("number", equals=equals))
        assert "Pas encore" in text
        assert "Erreur levée" not in text


def same(x: object) -> object:
    return x


@pytest.mark.parametrize(
    ("value", "wanted"),
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
def test_arrays_and_what_holds_numbers_are_compared_as_the_judge_does(value: object, wanted: dict[str, object]) -> None:
    check("same", value, **wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "wanted", "part"),
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
def test_others_are_refused(value: object, wanted: dict[str, object], part: str) -> None:
    assert part in said(lambda: check("same", value, **wanted))  # type: ignore[arg-type]


def trained(x: torch.Tensor) -> torch.Tensor:
    w = torch.zeros(1, requires_grad=True)
    (w * x - 1).square().sum().backward()
    return w.grad


class OnCard(torch.Tensor):
    """A tensor that stays with those of its graphics card, as on one of Apple's."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if function is torch.Tensor.cpu:
            return args[0].as_subclass(torch.Tensor)
        if function in (torch.Tensor.double, torch.allclose):
            raise RuntimeError("Expected all tensors to be on the same device")
        return super().__torch_function__(function, types, args, kwargs)


def on_card(x: torch.Tensor) -> torch.Tensor:
    return x.as_subclass(OnCard)


def test_what_comes_back_from_a_graphics_card_is_compared(capsys: pytest.CaptureFixture[str]) -> None:
    check("on_card", torch.ones(2), shape=(2,), dtype=torch.float32, equals=torch.ones(2))
    assert "Correct" in capsys.readouterr().out
    assert "Pas encore" in said(lambda: check("on_card", torch.zeros(2), equals=torch.ones(2)))


def test_a_model_computes_no_gradients() -> None:
    check("layer", torch.ones(2), holds=lambda y: not y.requires_grad)


def test_a_function_may_compute_gradients(capsys: pytest.CaptureFixture[str]) -> None:
    check("trained", torch.ones(2), equals=torch.tensor([-4.0]))
    assert "Correct" in capsys.readouterr().out


def test_a_cell_that_is_no_python_is_not_judged_by_what_it_defined_before(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = InteractiveShell(HistoryManager={"enabled": False})
    monkeypatch.setattr("course_lib.checks.get_ipython", lambda: shell)
    shell.run_cell("def halves(x)")
    assert "n'est pas du Python valide" in said(lambda: check("halves", torch.ones(2)))
    for runs in ("1 / 0", "1"):
        shell.run_cell(runs)
        check("halves", torch.ones(2))
    shell.last_execution_result.error_before_exec = KeyboardInterrupt()  # a cell that was stopped
    check("halves", torch.ones(2))


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


def test_a_model_class_is_instantiated() -> None:
    check("Model", torch.rand(3, 5), shape=(3, 2))


def test_english_on_request() -> None:
    set_language("en")
    assert "Not yet" in said(lambda: check("number", equals=4))


def lucky(n: int) -> torch.Tensor:
    return torch.rand(n)


def test_a_check_leaves_the_random_numbers_alone() -> None:
    check("lucky", 3, equals=torch.rand(3, generator=torch.Generator().manual_seed(0)))
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    check("halves", torch.ones(2))
    assert torch.equal(torch.rand(1), expected)


def test_the_card_cannot_be_broken_by_what_came_back() -> None:
    global number
    number = "<script>alert(1)</script>"
    with pytest.raises(CheckFailed) as caught:
        check("number", type=int)
    number = 3
    html = caught.value.card._repr_html_()
    assert "<script>" not in html
    assert html.count("<code>") == 2, "what was called and what came back; the cause is a sentence"


def test_what_is_not_finished_shows_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = InteractiveShell(HistoryManager={"enabled": False})
    monkeypatch.setattr("course_lib.checks.get_ipython", lambda: shell)
    show_to_do_in_one_line()
    shell.run_cell("raise NotImplementedError")
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("… À faire : la cellule contient encore")
    shell.run_cell("raise NotImplementedError('of another library')")
    assert len(capsys.readouterr().out.splitlines()) > 3
    shell.run_cell("from course_lib import check\ncheck('absent')")
    *card, line = capsys.readouterr().out.splitlines()
    assert line == "… À faire : absent"
    assert len(card) == 3
