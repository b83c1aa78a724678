"""A class of students for ``mnist1``: their submissions and the marks that they must get.

A situation describes how one student's submission differs from a perfect one. :func:`fill` makes the submission.
"""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from nbformat import NotebookNode

from ..assignment.cells import cell_name
from ..assignment.loader import expected_answers
from ..assignment.spec import NotebookSpec

Marks = dict[str, float]

OTHER_SPELLINGS = {
    "dimensions": "n_images = len(x_train)\nn_rows, n_columns = x_train.size(1), x_train.size(-1)",
    "one_hot": "def one_hot(labels):\n    return (labels[:, None] == torch.arange(10)).to(torch.float32)",
    "softmax": (
        "def class_probabilities(logits):\n"
        "    e = torch.exp(logits - logits.max(dim=-1, keepdim=True).values)\n"
        "    return e / e.sum(dim=-1, keepdim=True)"
    ),
    "argmax": (
        "def predict_labels(y_pred):\n    return y_pred.max(1)[1]\n\n"
        "def accuracy(y_pred, labels):\n"
        "    right = 0\n"
        "    for guess, label in zip(predict_labels(y_pred), labels):\n"
        "        right += int(guess == label)\n"
        "    return right / len(labels)"
    ),
    "dnn": (
        "class DNN(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 100),\n"
        "                                    nn.ReLU(), nn.Linear(100, 10), nn.LogSoftmax(dim=1))\n\n"
        "    def forward(self, x):\n"
        "        return self.layers(x)"
    ),
    "cnn": (
        "class CNN(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.convolution = nn.Conv2d(1, 6, 3, padding=1)\n"
        "        self.hidden = nn.Linear(1176, 64)\n"
        "        self.out = nn.Linear(64, 10)\n\n"
        "    def forward(self, x):\n"
        "        x = F.max_pool2d(torch.relu(self.convolution(x[:, None])), 2)\n"
        "        return self.out(torch.relu(self.hidden(x.flatten(1))))"
    ),
}

_VIEW_IN = "x = x.view(-1, 1, 28, 28)"


@dataclass(frozen=True)
class DemoStudent:
    """One student."""

    name: str
    answers: Callable[[dict[str, str]], dict[str, str]] = field(default=lambda right: right)
    """Turns the right answers, by solution cell, into the student's. A cell without an answer stays as released."""
    damage: Callable[[NotebookNode], None] = field(default=lambda notebook: None)
    """Changes the cells of the filled notebook."""
    cut: float = 1
    """The fraction of the file that is submitted: less than 1 for a truncated file."""
    lost: Marks = field(default_factory=dict)
    """Points lost, by grade cell."""

    @property
    def marks(self) -> Marks:
        """The automatic marks that the student must get, by grade cell."""
        return {name: points - self.lost.get(name, 0) for name, points in ALL_POINTS.items()}


def right_answers(spec: NotebookSpec) -> dict[str, str]:
    """The answers of the source notebook, by solution cell."""
    return {name: answer for name, (answer, _) in expected_answers(spec.source).items() if answer}


def fill(spec: NotebookSpec, situation: DemoStudent) -> bytes:
    """The file that the student of ``situation`` submits."""
    notebook = copy.deepcopy(spec.skeleton)
    answers = situation.answers(right_answers(spec))
    for cell in notebook.cells:
        cell.source = answers.get(cell_name(cell), cell.source)
    situation.damage(notebook)
    text = json.dumps(notebook, ensure_ascii=False, indent=1).encode()
    return text[: int(len(text) * situation.cut)]


def _delete(*names: str) -> Callable[[NotebookNode], None]:
    def damage(notebook: NotebookNode) -> None:
        notebook.cells = [c for c in notebook.cells if cell_name(c) not in names]

    return damage


def _split(name: str, before: str) -> Callable[[NotebookNode], None]:
    def damage(notebook: NotebookNode) -> None:
        index = next(i for i, c in enumerate(notebook.cells) if cell_name(c) == name)
        first = notebook.cells[index]
        second = copy.deepcopy(first)
        second.id = f"{first.id}-2"
        at = first.source.index(before)
        first.source, second.source = first.source[:at], first.source[at:]
        notebook.cells.insert(index + 1, second)

    return damage


def _without(right: dict[str, str], *names: str) -> dict[str, str]:
    return {name: answer for name, answer in right.items() if name not in names}


CODE = ("dimensions", "one_hot", "softmax", "argmax", "dnn", "cnn", "cnn2")
ALL_POINTS = {
    "test_dimensions": 1.0, "test_one_hot": 1.0, "test_softmax": 2.0, "test_argmax": 2.0, "test_dnn": 1.0,
    "test_dnn_accuracy": 1.0, "test_cnn": 2.0, "test_cnn_accuracy": 2.0, "test_cnn2": 2.0, "test_cnn2_accuracy": 2.0,
}  # fmt: skip

CLASS = [
    DemoStudent("perfect"),
    DemoStudent("other_spellings", lambda right: right | OTHER_SPELLINGS),
    DemoStudent("blank", lambda right: {}, lost=ALL_POINTS),
    DemoStudent(
        "partly_right",
        lambda right: (
            _without(right, "cnn2", "conclusion")
            | {
                "one_hot": "def one_hot(labels):\n    return F.one_hot(labels, 10)",
                "softmax": (
                    "def class_probabilities(logits):\n"
                    "    return torch.exp(logits) / torch.exp(logits).sum(dim=1, keepdim=True)"
                ),
                "argmax": (
                    "def predict_labels(y_pred):\n    return torch.argmax(y_pred, dim=1)\n\n"
                    "def accuracy(y_pred, labels):\n"
                    "    return 100 * (predict_labels(y_pred) == labels).float().mean().item()"
                ),
            }
        ),
        lost={
            "test_one_hot": 0.25,  # int64
            "test_softmax": 0.5,  # overflows
            "test_argmax": 1.0,  # percent
            "test_cnn2": 2.0,
            "test_cnn2_accuracy": 2.0,
        },
    ),
    DemoStudent(
        "softmax_left_in",
        lambda right: (
            right | {"dnn": right["dnn"].replace("return self.hidden3(x)", "return F.softmax(self.hidden3(x), dim=0)")}
        ),
        lost={"test_dnn": 0.75, "test_dnn_accuracy": 1.0},
    ),
    DemoStudent(
        "transposed_images",
        lambda right: right | {"dnn": right["dnn"].replace("x.view(-1,784)", "x.transpose(1, 2).reshape(-1, 784)")},
        lost={"test_dnn": 0.5},
    ),
    DemoStudent(
        "syntax_error",
        lambda right: right | {"cnn2": right["cnn2"].replace(_VIEW_IN, "x = x.view( TO DO )")},
        lost={"test_cnn2": 2.0, "test_cnn2_accuracy": 2.0},
    ),
    DemoStudent("deleted_test_cell", damage=_delete("test_softmax", "test_cnn")),
    DemoStudent("split_cell", damage=_split("argmax", "def accuracy")),
    DemoStudent("truncated_file", cut=0.6, lost=ALL_POINTS),
    DemoStudent(
        "endless_loop",
        lambda right: (
            right
            | {
                "argmax": (
                    "def predict_labels(y_pred):\n    labels = []\n    while len(labels) < len(y_pred):\n"
                    "        best = y_pred[len(labels)].argmax()\n    return torch.stack(labels)\n\n"
                    "def accuracy(y_pred, labels):\n    return (y_pred.argmax(1) == labels).float().mean().item()"
                )
            }
        ),
        lost={"test_argmax": 1.0},
    ),
    DemoStudent(
        "kernel_dies",
        lambda right: right | {"one_hot": "import os\n\ndef one_hot(labels):\n    os._exit(1)"},
        lost={"test_one_hot": 1.0},
    ),
]
