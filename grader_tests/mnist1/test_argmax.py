"""`argmax`: predict_labels and accuracy."""

import torch

from course_lib.authoring import StudentNotebook, Suspects, Text, expect, expect_all, hidden_test, likely, rounded
from course_lib.reference import mnist1 as reference

LABELS = {
    Text("le maximum est cherché dans chaque colonne (dim=0) au lieu de chaque ligne (dim=1).",
         "the maximum is taken over each column (dim=0) instead of each row (dim=1)."):
        lambda y: y.argmax(0) if len(y) == 10 else torch.full((len(y),), -1),
    Text("c'est la classe du plus petit score.", "this is the class of the smallest score."): lambda y: y.argmin(1),
    Text("c'est la classe du deuxième score.", "this is the class of the second largest score."):
        lambda y: y.topk(2).indices[:, 1],
    Text("les classes sont comptées à partir de 1.", "the classes are counted from 1."): lambda y: y.argmax(1) + 1,
    Text("les classes sont comptées à partir de la fin.", "the classes are counted from the end."):
        lambda y: 9 - y.argmax(1),
    Text("c'est la classe du score le plus loin de zéro : le signe compte.",
         "this is the class of the score farthest from zero: the sign matters."): lambda y: y.abs().argmax(1),
    Text("la recherche commence à 0, ou à un autre nombre : un score plus petit ne gagne jamais.",
         "the search starts at 0 or some other number: a smaller score can never win."):
        lambda y: torch.where(y.amax(1) > 0, y.argmax(1), 0),
    Text("les scores passent par une sigmoïde ou tanh : les grands y valent tous 1, et deviennent égaux.",
         "the scores go through a sigmoid or tanh: all large scores become 1 and can no longer be told apart."):
        lambda y: y.sigmoid().argmax(1),
    Text("c'est toujours la classe 0.", "this is always class 0."): lambda y: torch.zeros(len(y)),
    Text("la dernière classe ne gagne jamais : la boucle ou la tranche s'arrête trop tôt.",
         "the last class never wins: the loop or the slice ends too early."): lambda y: y[:, :9].argmax(1),
    Text("la première classe ne gagne jamais : la boucle ou la tranche commence trop tard.",
         "the first class never wins: the loop or the slice begins too late."): lambda y: y[:, 1:].argmax(1) + 1,
    Text("le maximum d'une image sert encore pour les suivantes : chaque image recommence la recherche.",
         "the maximum of one image is still used for the next ones: start a new search for each image."):
        lambda y: torch.where(y.amax(1) == y.amax(1).cummax(0).values, y.argmax(1), 0),
    Text("les scores passent par un softmax sur les images du lot (dim=0).",
         "the scores go through a softmax over the images of the batch (dim=0)."): lambda y: y.softmax(0).argmax(1),
    Text("les scores sont arrondis avant la comparaison.", "the scores are rounded before they are compared."):
        lambda y: y.long().argmax(1),
    Text("les scores perdent leurs derniers chiffres (float16) : des scores voisins deviennent égaux.",
         "the scores lose their last digits (float16): close scores become equal."): lambda y: y.half().argmax(1),
}  # fmt: skip


def _right(y: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return (y.argmax(1) == labels).double()


FRACTIONS = {
    Text("c'est un pourcentage : on demande une fraction entre 0 et 1.",
         "this is a percentage: the exercise asks for a fraction between 0 and 1."): lambda y, t: 100 * _right(y, t).mean(),
    Text("c'est le nombre d'images bien classées : divisez par leur nombre total.",
         "this is the number of correctly classified images: divide it by the total number of images."):
        lambda y, t: _right(y, t).sum(),
    Text("c'est la fraction d'erreurs.", "this is the fraction of errors."): lambda y, t: 1 - _right(y, t).mean(),
    Text("le résultat est toujours 0.", "the result is always 0."): lambda y, t: 0.0,
    Text("le résultat est 0 dès qu'une image est mal classée.", "the result is 0 as soon as one image is misclassified."):
        lambda y, t: _right(y, t).min(),
    Text("le résultat est toujours 1.", "the result is always 1."): lambda y, t: 1.0,
    Text("chaque label est comparé à tous les autres : les formes (N, 1) et (N,) sont combinées.",
         "each label is compared with all others: the shapes (N, 1) and (N,) are combined."):
        lambda y, t: (y.argmax(1, keepdim=True) == t).double().mean(),
    Text("c'est la moyenne des plus grands scores.", "this is the mean of the largest scores."):
        lambda y, t: y.amax(1).mean(),
    Text("c'est divisé par un nombre fixe d'images.", "the count is divided by a fixed number of images."):
        lambda y, t: _right(y, t).sum() / 10_000,
    Text("c'est divisé par la taille d'un lot d'entraînement.", "the count is divided by the size of a training batch."):
        lambda y, t: _right(y, t).sum() / 512,
    Text("la première image n'est pas comptée.", "the first image is not counted."):
        lambda y, t: _right(y, t)[1:].sum() / len(t),
    Text("la dernière image n'est pas comptée.", "the last image is not counted."):
        lambda y, t: _right(y, t)[:-1].sum() / len(t),
    Text("seule la dernière image est comptée.", "only the last image is counted."): lambda y, t: _right(y, t)[-1],
    Text("seule la première image est comptée : return dans la boucle ?",
         "only the first image is counted: return inside the loop?"): lambda y, t: _right(y, t)[0],
    Text("c'est divisé par le nombre de classes au lieu du nombre d'images.",
         "the count is divided by the number of classes instead of the number of images."):
        lambda y, t: _right(y, t).sum() / 10,
    Text("c'est divisé par le nombre de scores au lieu du nombre d'images.",
         "the count is divided by the number of scores instead of the number of images."):
        lambda y, t: _right(y, t).mean() / 10,
    **rounded(lambda y, t: _right(y, t).mean()),
    Text("ce n'est pas la classe du plus grand score, mais celle du plus petit, qui est comparée au label.",
         "the class of the smallest score is compared with the label, not the class of the largest score."):
        lambda y, t: (y.argmin(1) == t).double().mean(),
    Text("c'est la moyenne des fractions de chaque classe.", "this is the mean of the fractions for each class."):
        lambda y, t: torch.stack([_right(y, t)[t == k].mean() for k in t.unique()]).mean(),
    Text("le compte dépasse ce que son type peut contenir (uint8).",
         "the count is too large for its type (uint8)."):
        lambda y, t: _right(y, t).sum() % 256 / len(t),
}  # fmt: skip

ONE_LEFT_OUT = {
    Text("une image n'est pas comptée, la première ou la dernière.", "one image is not counted: the first or the last."):
        lambda y, t: _right(y, t)[1:].sum() / len(t),
}  # fmt: skip
"""If all labels are right, or all are wrong, the result does not show which image is left out."""


def assert_predicts(student: StudentNotebook, scores: torch.Tensor) -> None:
    """``predict_labels`` must give the class of the largest score."""
    labels = student.tensor("predict_labels", scores, shape=(len(scores),), dtype=torch.int64)
    expect(labels, reference.predict_labels, scores, suspects=LABELS)


def assert_measures(
    student: StudentNotebook, cases: list[tuple[torch.Tensor, torch.Tensor]], suspects: Suspects
) -> None:
    """``accuracy`` must give the fraction of right labels. Several cases together tell the mistakes apart."""
    fractions = [student.number("accuracy", *case, integers=False) for case in cases]
    expect_all(fractions, reference.accuracy, cases, suspects)


@hidden_test(
    0.75,
    fr="predict_labels donne, pour chaque image, la classe du plus grand score.",
    en="predict_labels returns the class of the largest score for each image.",
)
def test_the_largest_score_wins(student: StudentNotebook, generator: torch.Generator) -> None:
    # a sigmoid of scores near 40 is 1 for all; a search that starts at -10 finds nothing near -40
    for n, shift in ((10, 0), (2, 40), (50, -40)):
        assert_predicts(student, torch.randn((n, 10), generator=generator) + shift)
    ranks = torch.rand((600, 10), generator=generator).argsort(dim=1)
    assert_predicts(student, 1 + 1e-4 * ranks)  # close to each other, but float32 tells them apart


@hidden_test(
    0.25,
    fr="predict_labels donne aussi un label à une image seule, un seul s'il y a égalité, et laisse les scores intacts.",
    en="predict_labels also works on a single image, returns one label when scores tie, and does not modify the scores.",
)
def test_a_single_image_gets_its_label(student: StudentNotebook, generator: torch.Generator) -> None:
    classes = torch.randperm(10, generator=generator).tolist()  # each of them wins once
    rows = torch.randn((10, 10), generator=generator)
    scores = torch.stack([row.roll(k - int(row.argmax())) for k, row in zip(classes, rows, strict=True)])
    alone = [student.tensor("predict_labels", row[None], shape=(1,), dtype=torch.int64) for row in scores]
    expect(torch.cat(alone), reference.predict_labels, scores, suspects=LABELS)
    equal = torch.eye(10)[[4]] + torch.eye(10)[[7]]  # either label is right
    label = student.tensor("predict_labels", equal, shape=(1,), dtype=torch.int64)
    if label.item() not in (4, 7):
        raise likely(label, LABELS, equal)
    student.must_not_modify("predict_labels", scores)


@hidden_test(
    0.75,
    fr="accuracy est la fraction d'images bien classées.",
    en="accuracy is the fraction of correctly classified images.",
)
def test_accuracy_is_the_fraction_of_right_labels(student: StudentNotebook, generator: torch.Generator) -> None:
    # in the first case the last image is wrong, in the second the first: a wrong answer may skip either
    cases = []
    for n, first in ((44, 0), (9, 4), (1, 0), (600, 0)):
        scores = torch.randn((n, 10), generator=generator)
        i, right = torch.arange(first, first + n), reference.predict_labels(scores)
        labels = torch.where(i % 3 == 1, 5, torch.where(i % 4 == 1, scores.argmin(1), right))
        cases.append((scores, labels))
    assert_measures(student, cases, FRACTIONS)


@hidden_test(
    0.25,
    fr="accuracy vaut 1.0 quand tout est juste et 0.0 quand tout est faux, et laisse ses arguments intacts.",
    en="accuracy is 1.0 if every label is right and 0.0 if every label is wrong, and does not modify its arguments.",
)
def test_accuracy_of_all_and_of_none(student: StudentNotebook) -> None:
    labels, smallest = torch.tensor([3, 1, 4, 1]), torch.tensor([5, 6, 7, 8])
    scores = 2 * torch.eye(10)[labels] - torch.eye(10)[smallest]
    assert_measures(student, [(scores, labels), (scores, labels + 1), (scores, smallest)], ONE_LEFT_OUT | FRACTIONS)
    student.must_not_modify("accuracy", scores, labels)
