"""`mse`: the mean of the squared differences."""

import torch
from torch.nn import functional as F

from course_lib.authoring.expect import expect
from course_lib.authoring.hidden_tests import hidden_test
from course_lib.authoring.notebook import StudentNotebook
from course_lib.messages import Text

SUSPECTS = {
    Text("les carrés sont additionnés : prenez leur moyenne.", "the squares are added up: take their mean."):
        lambda y_pred, y: F.mse_loss(y_pred, y, reduction="sum"),
    Text("les différences ne sont pas au carré.", "the differences are not squared."):
        lambda y_pred, y: F.l1_loss(y_pred, y),
    Text("la racine est de trop.", "the square root is not wanted."):
        lambda y_pred, y: F.mse_loss(y_pred, y).sqrt(),
}  # fmt: skip
"""Usual mistakes, and functions that make them: whoever makes one is told so."""


@hidden_test(
    1.5,
    fr="mse donne la moyenne des carrés des différences.",
    en="mse gives the mean of the squared differences.",
)
def test_mean_of_the_squares(student: StudentNotebook) -> None:
    """Sizes and values of which no wrong formula makes the same."""
    generator = torch.Generator().manual_seed(0)
    for n in (7, 40):
        y_pred, y = 3 * torch.randn((2, n), generator=generator)
        expect(student.number("mse", y_pred, y), F.mse_loss, y_pred, y, suspects=SUSPECTS)


@hidden_test(0.5, fr="mse laisse ses arguments intacts.", en="mse leaves its arguments as they were.")
def test_arguments_are_left_alone(student: StudentNotebook) -> None:
    """An answer in place would spoil what the notebook does next."""
    student.must_leave_alone("mse", torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5.0]))
