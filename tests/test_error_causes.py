"""An error, a wrong shape or a wrong type has a likely cause that the student reads."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from course_lib.authoring import StudentFailure
from course_lib.authoring.live import student_of
from course_lib.error_causes import error_cause, known_error_cause
from course_lib.messages import say


@pytest.mark.parametrize(("shape", "cause"), [((3,), "cause.length"), ((3, 2), "cause.rows")])
def test_a_tensor_with_one_dimension_has_no_rows(shape: tuple[int, ...], cause: str) -> None:
    answer = torch.zeros(2, *shape[1:])
    with pytest.raises(StudentFailure) as failure:
        student_of({"answer": lambda: answer}).tensor("answer", shape=shape)
    assert failure.value.detail == say(cause)


def test_a_cause_about_tensors_mentions_arrays() -> None:
    """The exercise may ask for an array, which comes back as a tensor."""
    for value in ([1.0], {"a": 1.0}.keys()):
        with pytest.raises(StudentFailure, match="ndarray"):
            student_of({"f": lambda value=value: value}).tensor("f", shape=(1,))
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
def test_an_error_message_has_its_cause(kind: str, message: str, cause: str) -> None:
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
"""By cause: code that raises an error in the installed torch or numpy."""


@pytest.mark.parametrize("cause", RAISES)
def test_errors_of_torch_and_numpy_have_their_cause(cause: str) -> None:
    names = {"torch": torch, "nn": nn, "F": nn.functional, "np": np, "again": lambda f: f(f)}
    for code in RAISES[cause]:
        values = {"x": torch.ones(2, 3), "a": np.ones((2, 3)), "w": torch.ones(2, requires_grad=True)}
        with warnings.catch_warnings(action="ignore"), pytest.raises(Exception) as caught:  # noqa: PT011 - any
            exec(code, names | values)
        said = type(caught.value).__name__, str(caught.value)
        assert known_error_cause(*said) == say(f"cause.{cause}"), (code, said)
