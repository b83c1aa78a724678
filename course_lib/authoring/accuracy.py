"""The measured and the required accuracy of a trained classifier."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from ..messages import Text
from .expectations import wrong
from .notebook import StudentNotebook

_NOTHING = Text("", "")


def fraction_right(outputs: torch.Tensor, labels: torch.Tensor) -> float:
    """The fraction of rows of ``outputs``, (N, classes), whose argmax is the label, in [0, 1]."""
    return (outputs.argmax(1) == labels).double().mean().item()


@dataclass(frozen=True)
class AccuracyTest:
    """What a trained classifier must reach.

    If the reference model with the trained weights computes what the student's model computes, the judge measures the
    reference model (``measure``) instead. Otherwise, the student's own model must classify ``disguised``: test data in
    a form that the student cannot have memorized, because the labels of a public test set are public, too.
    """

    measure: Callable[[nn.Module], float]
    """The accuracy of a reference model with trained weights on the test set."""
    required: float
    """The accuracy that it must reach."""
    disguised: Callable[[], tuple[torch.Tensor, torch.Tensor]]
    """Changed test inputs (N, ...), and their labels (N,)."""
    disguised_required: float
    """The accuracy that the student's own model must reach on the changed inputs."""
    disguised_as: Text = _NOTHING
    """How the inputs were changed, with a space before it: ``Text(" sur des images floues", " on blurred images")``."""
    by_chance: float = 0.5
    """The accuracy that a model with scrambled weights must stay below."""
    by_chance_inputs: int = 1000
    """The number of inputs used to check this."""

    def must_reach(self, student: StudentNotebook, measured: float, on_disguised: bool = False) -> None:
        """Store the measured and the required accuracy for the class report, and compare them.

        Raises:
            StudentFailure: if the measured accuracy is too low.
        """
        required = self.disguised_required if on_disguised else self.required
        where = self.disguised_as if on_disguised else _NOTHING
        student.accuracy = (measured, required)
        if not measured >= required:
            raise wrong(
                Text(
                    f"l'exactitude mesurée{where.fr} est {measured:.4f}, trop peu : un défaut du modèle, "
                    "ou un entraînement modifié ou interrompu.",
                    f"the measured accuracy{where.en} is {measured:.4f}, which is too low: either the model is wrong, "
                    "or its training was changed or cut short.",
                )
            )
