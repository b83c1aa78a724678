"""`argmax`: predict_labels and accuracy."""

import torch

from course_lib.grading.hidden import hidden_test
from course_lib.grading.student import Student
from course_lib.reference import mnist1 as reference


@hidden_test(
    0.75,
    fr="predict_labels donne, pour chaque image, la classe du plus grand score.",
    en="predict_labels gives, for each image, the class of the largest score.",
)
def test_the_largest_score_wins(student: Student, generator: torch.Generator) -> None:
    for n in (2, 10, 50):
        scores = torch.randn((n, 10), generator=generator) - 3
        labels = student.tensor("predict_labels", scores, shape=(n,), dtype=torch.int64)
        assert torch.equal(labels, reference.predict_labels(scores))


@hidden_test(
    0.25,
    fr="predict_labels traite aussi une image seule.",
    en="predict_labels handles a single image too.",
)
def test_a_single_image_gets_its_label(student: Student, generator: torch.Generator) -> None:
    for scores in torch.randn((4, 1, 10), generator=generator):
        labels = student.tensor("predict_labels", scores, shape=(1,), dtype=torch.int64)
        assert torch.equal(labels, reference.predict_labels(scores))


@hidden_test(
    0.75,
    fr="accuracy est la fraction d'images bien classées.",
    en="accuracy is the fraction of images that are classified right.",
)
def test_accuracy_is_the_fraction_of_right_labels(student: Student, generator: torch.Generator) -> None:
    for n in (1, 7, 40):
        scores = torch.randn((n, 10), generator=generator)
        labels = torch.where(torch.arange(n) % 3 == 0, 5, reference.predict_labels(scores))
        assert abs(student.number("accuracy", scores, labels) - reference.accuracy(scores, labels)) < 1e-5


@hidden_test(
    0.25,
    fr="accuracy vaut 1.0 quand tout est juste et 0.0 quand tout est faux.",
    en="accuracy is 1.0 when all is right and 0.0 when all is wrong.",
)
def test_accuracy_of_all_and_of_none(student: Student) -> None:
    scores = torch.eye(10)[[3, 1, 4, 1]]
    labels = torch.tensor([3, 1, 4, 1])
    assert abs(student.number("accuracy", scores, labels) - 1) < 1e-6
    assert abs(student.number("accuracy", scores, labels + 1)) < 1e-6
