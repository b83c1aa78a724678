"""`softmax`: class_probabilities, logits to probabilities."""

import torch

from course_lib.authoring import StudentNotebook, Text, close, expect, hidden_test, likely, rounded, wrong
from course_lib.reference import mnist1 as reference

NAME = "class_probabilities"

SUSPECTS = {
    Text("toutes les classes ont la même probabilité.", "all classes have the same probability."):
        lambda z: torch.full_like(z, 0.1),
    Text("toutes les probabilités valent 1 : le softmax court sur une dimension de taille 1.",
         "all probabilities are 1: the softmax runs over a dimension of size 1."): torch.ones_like,
    Text("le softmax court sur les images du lot (dim=0) au lieu des classes (dim=1).",
         "the softmax runs over the images of the batch (dim=0) instead of the classes (dim=1)."): lambda z: z.softmax(0),
    Text("la somme court sur tout le lot : il en faut une pour chaque ligne.",
         "the sum runs over the whole batch: each row needs its own sum."): lambda z: z.flatten().softmax(0).reshape(z.shape),
    Text("ce sont des log-probabilités : prenez softmax, sans log.",
         "these are log-probabilities: use a softmax without the log."): lambda z: z.log_softmax(1),
    Text("ce sont les logits eux-mêmes.", "these are the logits themselves."): lambda z: z,
    Text("il manque la division par la somme de la ligne.",
         "the division by the sum of the row is missing."): lambda z: z.exp(),
    Text("le maximum est retranché, mais il manque la division par la somme de la ligne.",
         "the maximum is subtracted, but the division by the sum of the row is missing."):
        lambda z: (z - z.amax(1, keepdim=True)).exp(),
    Text("il manque l'exponentielle.", "the exponential is missing."): lambda z: z / z.sum(1, keepdim=True),
    Text("la sigmoïde regarde chaque classe à part : la somme d'une ligne n'est pas 1.",
         "a sigmoid treats each class separately: a row does not sum to 1."): lambda z: z.sigmoid(),
    Text("la sigmoïde ne remplace pas l'exponentielle.", "a sigmoid does not replace the exponential."):
        lambda z: z.sigmoid() / z.sigmoid().sum(1, keepdim=True),
    Text("le softmax est appliqué deux fois.", "the softmax is applied twice."): lambda z: z.softmax(1).softmax(1),
    Text("le signe des logits est inversé.", "the sign of the logits is inverted."): lambda z: (-z).softmax(1),
    Text("c'est une puissance de 2 au lieu d'une exponentielle.", "these are powers of 2 instead of exponentials."):
        lambda z: (z * 0.6931471805599453).softmax(1),
    Text("les logits sont divisés par un nombre avant le softmax.",
         "the logits are divided by a number before the softmax."): lambda z: (z / 10).softmax(1),
    Text("les logits sont divisés par le plus grand.", "the logits are divided by the largest."):
        lambda z: (z / z.max()).softmax(1),
    Text("le maximum de chaque colonne est retranché, au lieu de celui de la ligne.",
         "the maximum of each column is subtracted instead of the maximum of each row."): lambda z: (z - z.amax(0)).softmax(1),
    Text("les grands logits sont coupés (clamp).", "large logits are cut off (clamp)."):
        lambda z: z.clamp(-50, 50).softmax(1),
    Text("la valeur absolue ne remplace pas l'exponentielle.",
         "the absolute value does not replace the exponential."): lambda z: z.abs() / z.abs().sum(1, keepdim=True),
    Text("16 bits ne suffisent pas : restez en float32.", "16 bits are not enough: keep float32."):
        lambda z: z.half().softmax(1).float(),
    Text("bfloat16 ne suffit pas : restez en float32.", "bfloat16 is not enough: keep float32."):
        lambda z: z.bfloat16().softmax(1).float(),
    Text("relu met les logits négatifs à zéro.", "relu sets the negative logits to zero."): lambda z: z.relu().softmax(1),
    Text("ce sont des 0 et des 1 : la classe la plus probable, et non les probabilités.",
         "these are zeros and ones: return the probabilities, not just the most likely class."):
        lambda z: reference.one_hot(z.argmax(1)),
    **rounded(lambda z: z.softmax(1)),
    Text("ce sont des pourcentages : on demande des probabilités entre 0 et 1.",
         "these are percentages: the exercise asks for probabilities between 0 and 1."): lambda z: 100 * z.softmax(1),
}  # fmt: skip


def assert_softmax(student: StudentNotebook, logits: torch.Tensor, atol: float = 1e-5) -> None:
    """``class_probabilities`` must give the softmax of ``logits`` over the classes."""
    expect(
        student.tensor(NAME, logits, shape=logits.shape), reference.probabilities, logits, suspects=SUSPECTS, atol=atol
    )


@hidden_test(
    0.5,
    fr="Pour chaque image, les probabilités des dix classes ont pour somme 1.",
    en="For each image, the probabilities of the ten classes sum to 1.",
)
def test_rows_sum_to_one(student: StudentNotebook, generator: torch.Generator) -> None:
    logits = torch.randn((7, 10), generator=generator) * 3
    probabilities = student.tensor(NAME, logits, shape=(7, 10))
    if not (bool((probabilities >= 0).all()) and close(probabilities.sum(dim=1), torch.ones(7), atol=1e-4)):
        raise likely(probabilities, SUSPECTS, logits)


@hidden_test(
    0.5,
    fr="Les probabilités sont celles du softmax sur les classes.",
    en="The probabilities are those of a softmax over the classes.",
)
def test_softmax_over_the_classes(student: StudentNotebook, generator: torch.Generator) -> None:
    for n in (2, 600):
        assert_softmax(student, torch.randn((n, 10), generator=generator) * 2)


@hidden_test(
    0.5,
    fr="Une image seule reçoit les mêmes probabilités que parmi d'autres, et les logits restent intacts.",
    en="An image gets the same probabilities on its own as in a batch, and the logits are not modified.",
)
def test_a_single_image_keeps_its_probabilities(student: StudentNotebook, generator: torch.Generator) -> None:
    logits = torch.randn((3, 10), generator=generator)
    together = student.tensor(NAME, logits, shape=(3, 10))
    expect(together, reference.probabilities, logits, suspects=SUSPECTS)
    assert_softmax(student, logits[:1])
    # logits near the limit of the exponential: code that avoids an overflow may do so in its argument
    student.must_not_modify(NAME, logits + 85 - logits.amax(1, keepdim=True))


@hidden_test(
    0.5,
    fr="De grands logits donnent aussi des probabilités exactes, sans débordement.",
    en="Large logits also give exact probabilities, without overflow.",
)
def test_large_logits_do_not_overflow(student: StudentNotebook, generator: torch.Generator) -> None:
    logits = torch.randn((4, 10), generator=generator)
    for change in (logits * 1000, logits - 1000):
        probabilities = student.tensor(NAME, change, shape=(4, 10))
        if not close(probabilities, reference.probabilities(change), atol=1e-4):
            assert_softmax(student, logits)  # an answer that is wrong for small logits, too, has another cause
        if not probabilities.isfinite().all() or (probabilities.sum(1) < 0.5).any():
            raise wrong(OVERFLOW)
        expect(probabilities, reference.probabilities, change, suspects=SUSPECTS, atol=1e-4)


OVERFLOW = Text(
    "l'exponentielle d'un grand nombre déborde : retranchez d'abord le maximum de chaque ligne, ou prenez F.softmax.",
    "the exponential of a large number overflows: subtract the maximum of each row first, or use F.softmax.",
)
