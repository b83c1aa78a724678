"""`softmax`: class_probabilities, logits to probabilities."""

import torch

from course_lib.grading.hidden import hidden_test
from course_lib.grading.student import Student
from course_lib.reference import mnist1 as reference

NAME = "class_probabilities"


@hidden_test(
    0.5,
    fr="Pour chaque image, les probabilités des dix classes ont pour somme 1.",
    en="For each image, the probabilities of the ten classes sum to 1.",
)
def test_rows_sum_to_one(student: Student, generator: torch.Generator) -> None:
    logits = torch.randn((7, 10), generator=generator) * 3
    probabilities = student.tensor(NAME, logits, shape=(7, 10))
    assert bool((probabilities >= 0).all())
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(7), atol=1e-4)


@hidden_test(
    0.5,
    fr="Les probabilités sont celles du softmax sur les classes.",
    en="The probabilities are those of a softmax over the classes.",
)
def test_softmax_over_the_classes(student: Student, generator: torch.Generator) -> None:
    for n in (2, 10, 33):
        logits = torch.randn((n, 10), generator=generator) * 2
        probabilities = student.tensor(NAME, logits, shape=(n, 10))
        assert torch.allclose(probabilities, reference.probabilities(logits), atol=1e-5)


@hidden_test(
    0.5,
    fr="Une image seule reçoit les mêmes probabilités que parmi d'autres.",
    en="A single image gets the same probabilities as among others.",
)
def test_a_single_image_keeps_its_probabilities(student: Student, generator: torch.Generator) -> None:
    logits = torch.randn((6, 10), generator=generator)
    together = student.tensor(NAME, logits, shape=(6, 10))
    for i in range(6):
        alone = student.tensor(NAME, logits[i : i + 1], shape=(1, 10))
        assert torch.allclose(alone[0], together[i], atol=1e-5)
        assert torch.allclose(alone, reference.probabilities(logits[i : i + 1]), atol=1e-5)


@hidden_test(
    0.5,
    fr="De grands logits donnent aussi des probabilités exactes, sans débordement.",
    en="Large logits give exact probabilities too, without overflow.",
)
def test_large_logits_do_not_overflow(student: Student, generator: torch.Generator) -> None:
    logits = torch.randn((4, 10), generator=generator)
    for change in (logits + 1000, logits - 1000, logits * 1000):
        probabilities = student.tensor(NAME, change, shape=(4, 10))
        assert torch.allclose(probabilities, reference.probabilities(change), atol=1e-4)
