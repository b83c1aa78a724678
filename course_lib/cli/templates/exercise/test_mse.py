"""`mse`: the mean of the squared differences."""

import torch
from torch.nn import functional as F

from course_lib.authoring import StudentNotebook, Text, expect, hidden_test

SUSPECTS = {
    Text("les carrés sont additionnés : prenez leur moyenne.", "the squares are added up: take their mean."):
        lambda y_pred, y: F.mse_loss(y_pred, y, reduction="sum"),
    Text("les différences ne sont pas au carré.", "the differences are not squared."):
        lambda y_pred, y: F.l1_loss(y_pred, y),
    Text("la racine est de trop.", "there should be no square root."):
        lambda y_pred, y: F.mse_loss(y_pred, y).sqrt(),
}  # fmt: skip
"""Usual mistakes: what to tell the student, and a function that makes the mistake."""


@hidden_test(
    1.5,
    fr="mse donne la moyenne des carrés des différences.",
    en="mse gives the mean of the squared differences.",
)
def test_mean_of_the_squares(student: StudentNotebook) -> None:
    """Random numbers and two sizes: no wrong formula gives the right result by chance."""
    generator = torch.Generator().manual_seed(0)
    for n in (7, 40):
        y_pred, y = 3 * torch.randn((2, n), generator=generator)
        expect(student.number("mse", y_pred, y), F.mse_loss, y_pred, y, suspects=SUSPECTS)


@hidden_test(0.5, fr="mse laisse ses arguments intacts.", en="mse leaves its arguments as they were.")
def test_arguments_are_left_alone(student: StudentNotebook) -> None:
    """A function that changes its arguments would spoil what the notebook does with them later."""
    student.must_not_modify("mse", torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5.0]))
