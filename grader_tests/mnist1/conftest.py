"""What the hidden tests of mnist1 share."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn.utils import parameters_to_vector

from course_lib.grading.student import Student
from course_lib.kernel.finished import by_shape
from course_lib.reference import mnist1 as reference

THRESHOLDS = json.loads(Path(__file__).with_name("thresholds.json").read_text())

BY_CHANCE = 1000
"""Images for a model whose weights make no sense."""


class ModelTests:
    """Compares a model of the notebook with the reference model of the same name, by what they compute."""

    def __init__(self, student: Student) -> None:
        self.student = student
        self.generator = torch.Generator().manual_seed(1)

    def images(self, n: int) -> torch.Tensor:
        """Random images, float32 (n, 28, 28)."""
        return torch.rand((n, 28, 28), generator=self.generator)

    def weights(self, model: torch.nn.Module) -> list[torch.Tensor]:
        """Random weights for ``model``, none of them zero: every layer and every bias shows in the outputs."""
        scale = [1.5 / max(p[0].numel(), 1) ** 0.5 if p.dim() > 1 else 0.3 for p in by_shape(model)]
        return [torch.randn(p.shape, generator=self.generator) * s for p, s in zip(by_shape(model), scale, strict=True)]

    def agrees_with(self, model: torch.nn.Module, name: str, n: int) -> bool:
        """Whether ``name`` gives what ``model`` gives, with the same weights: class probabilities and gradients.

        Log-probabilities are as good as logits: the training cannot tell them apart.
        """
        weights = self.weights(model)
        with torch.no_grad():
            for parameter, weight in zip(by_shape(model), weights, strict=True):
                parameter.copy_(weight)
        x = self.images(n)
        labels = torch.randint(0, 10, (n,), generator=self.generator)
        answer = self.student.forward(name, x, weights, labels, train=True)
        logits = model(x)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        gradients = torch.autograd.grad(loss, by_shape(model))
        return close(answer.logits.log_softmax(1), logits.detach().log_softmax(1)) and all(
            close(mine, its) for mine, its in zip(answer.gradients, gradients, strict=True)
        )

    def keeps_a_single_image(self, name: str) -> bool:
        """Whether an image gets the same output alone as among others, and different images different ones."""
        model = getattr(reference, name)()
        weights, x = self.weights(model), self.images(5)
        together = self.student.forward(name, x, weights).logits
        alone = torch.cat([self.student.forward(name, x[i : i + 1], weights).logits for i in range(5)])
        return close(together, alone) and bool((together[0] - together[1]).abs().max() > 1e-3)

    def reaches_its_threshold(self, variable: str, name: str) -> bool:
        """Whether the trained model ``variable`` is accurate enough.

        Its weights are measured in the judge's own copy of the model, on the test images. Where the copy does not
        compute what the student's model does, the student's model classifies images that were moved by a pixel, once
        with its weights and once with the same numbers in another order: the test labels are public, and a table of
        them must not help.
        """
        kind = getattr(reference, name)
        copy = kind().eval()
        images, labels = reference.test_set()
        trained = self.student.weights(variable)
        if trained.buffers == 0 and trained.copy_into(copy):
            x = self.images(64)
            with torch.no_grad():
                mine = copy(x)
                if close(self.student.forward(variable, x).logits.log_softmax(1), mine.log_softmax(1)):
                    weights = parameters_to_vector(copy.parameters()).detach().numpy().tobytes()
                    return reference.test_accuracy(kind, weights) >= THRESHOLDS[name]["accuracy"]
        images = reference.shifted(images)
        answer = self.student.forward(variable, images)
        disordered = [
            p.flatten()[torch.randperm(p.numel(), generator=self.generator)].reshape(p.shape)
            for p in trained.parameters
        ]
        by_chance = self.student.forward(variable, images[:BY_CHANCE], disordered)
        return (
            reference.accuracy(answer.logits, labels) >= THRESHOLDS[name]["shifted"]
            and reference.accuracy(by_chance.logits, labels[:BY_CHANCE]) < 0.5
        )


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal within what float32 and another order of summation allow; never with NaN."""
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.fixture
def models(student: Student) -> ModelTests:
    """Tests of the models of the student's notebook."""
    return ModelTests(student)


@pytest.fixture
def generator() -> torch.Generator:
    """Random numbers that are the same at each run."""
    return torch.Generator().manual_seed(0)
