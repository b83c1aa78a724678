"""What the self-checks of the assignment ``mnist1`` verify, cell by cell.

The checks use inputs whose right result is known by construction, so that they give no answer away.
"""

import operator
from functools import partial
from typing import Any

import torch
from torch import nn

from .checks import Property
from .messages import Text

__all__ = ["FLATTEN", "accuracy", "argmax", "convolution", "dimensions", "model", "one_hot", "softmax"]

N_PARAMETERS = {"DNN": 89_610, "CNN": 76_038, "CNN2": 20_250}
"""The number of parameters of each model, as in the conclusion of the notebook."""

IN_ORDER = Text("vérifiez l'ordre dans x_train.shape.", "check the order in x_train.shape.")


def dimensions(namespace: dict[str, Any]) -> list[Property]:
    """The three sizes of x_train."""
    names = ("n_images", "n_rows", "n_columns")
    sizes = zip(names, namespace["x_train"].shape, strict=True)
    return [Property(name, type=int, holds=partial(operator.eq, size), hint=IN_ORDER) for name, size in sizes]


def _leaves_alone(name: str, *args: torch.Tensor) -> Property:
    """The function does not modify its arguments."""
    given = [arg.clone() for arg in args]
    return Property(
        name,
        args,
        Text("les arguments restent intacts", "the arguments are not modified"),
        holds=lambda _: all(torch.equal(arg, before) for arg, before in zip(args, given, strict=True)),
        hint=Text(
            "une opération en place, comme x += ..., change ce que l'appelant a donné.",
            "an in-place operation, such as x += ..., changes what the caller gave.",
        ),
    )


# -- one_hot -----------------------------------------------------------------------------------------------------------


def _encodes(labels: torch.Tensor, rows: torch.Tensor) -> bool:
    """Whether each row is 1 in the column of its label and 0 in the nine others."""
    ones = all(row[label] == 1 for row, label in zip(rows, labels, strict=True))
    zeros = all((row == 0).sum() == 9 for row in rows)
    return ones and zeros


def _one_hot_hint(rows: torch.Tensor) -> Text | None:
    if bool(((rows != 0) & (rows != 1)).any()):
        return Text("une valeur n'est ni 0 ni 1.", "a value is neither 0 nor 1.")
    sums = rows.sum(dim=1)
    if bool((sums != 1).any()):
        return Text(f"une ligne contient {sums.max():g} fois 1.", f"a row has {sums.max():g} ones.")
    return Text("le 1 n'est pas dans la colonne du label.", "the 1 is not in the column of the label.")


def one_hot(namespace: dict[str, Any]) -> list[Property]:
    """The function one_hot."""
    several, few = torch.tensor([2, 0, 7, 0, 9]), torch.tensor([3])
    return [
        Property("one_hot", [several], shape=(5, 10), dtype=torch.float32),
        Property(
            "one_hot",
            [several],
            Text("un seul 1 par ligne, dans la colonne du label", "a single 1 in each row, in the column of the label"),
            holds=partial(_encodes, several),
            hint=_one_hot_hint,
        ),
        Property(
            "one_hot",
            [few],
            Text("dix colonnes, même pour un seul label", "ten columns, even for a single label"),
            shape=(1, 10),
            holds=partial(_encodes, few),
            hint=_one_hot_hint,
        ),
        _leaves_alone("one_hot", several),
    ]


# -- softmax -----------------------------------------------------------------------------------------------------------

WEIGHTS = torch.tensor(
    [[1.0, 2, 3, 4, 5, 6, 7, 8, 9, 5], [9.0, 1, 1, 1, 1, 1, 1, 1, 1, 33], [2.0, 2, 2, 2, 2, 2, 2, 2, 2, 2]]
)
"""The exponentials of some logits. Each row, divided by its sum, is the row of probabilities."""


def _probabilities_hint(p: torch.Tensor) -> Text | None:
    if p.dtype == torch.bool or not p.is_floating_point():
        return None
    if bool((p < 0).any()):
        return Text(
            "des valeurs sont négatives : log_softmax au lieu de softmax ?",
            "some values are negative: log_softmax instead of softmax?",
        )
    if bool((p > 1.001).any()):
        return Text("des valeurs dépassent 1.", "some values are larger than 1.")
    if bool((p.sum(dim=0) - 1).abs().max() < 1e-4):
        return Text(
            "la somme vaut 1 dans chaque colonne, et non dans chaque ligne.", "each column sums to 1, not each row."
        )
    return None


def _overflow_hint(p: torch.Tensor) -> Text | None:
    if bool(p.isfinite().all()):
        return None
    return Text("l'exponentielle d'un grand nombre est infinie.", "the exponential of a large number is infinite.")


def softmax(namespace: dict[str, Any]) -> list[Property]:
    """The function class_probabilities."""
    name, logits, expected = "class_probabilities", WEIGHTS.log(), WEIGHTS / WEIGHTS.sum(dim=1, keepdim=True)
    return [
        Property(name, [logits], shape=(3, 10)),
        Property(
            name,
            [logits],
            Text("chaque ligne a pour somme 1", "each row sums to 1"),
            holds=lambda p: bool(((p.sum(dim=1) - 1).abs() < 1e-4).all() and (p >= 0).all()),
            hint=_probabilities_hint,
        ),
        Property(
            name,
            [logits],
            Text("les probabilités d'un softmax", "the probabilities of a softmax"),
            equals=expected,
            hint=_probabilities_hint,
        ),
        Property(
            name,
            [logits[1:2]],
            Text("les mêmes pour une image seule", "the same for a single image"),
            equals=expected[1:2],
            hint=_probabilities_hint,
        ),
        Property(
            name,
            [logits + 1000],
            Text("aussi pour de grands logits", "for large logits, too"),
            equals=expected,
            hint=_overflow_hint,
        ),
        Property(
            name,
            [logits - 1000],
            Text("aussi pour des logits très négatifs", "for very negative logits, too"),
            equals=expected,
            hint=_overflow_hint,
        ),
        _leaves_alone(name, logits),
    ]


# -- argmax ------------------------------------------------------------------------------------------------------------

CLASSES = (7, 2, 0, 9, 4, 4)
"""The class with the largest score of each image."""


def _scores(shift: float = 0.0) -> torch.Tensor:
    """Scores of which the largest, by a little, is that of :data:`CLASSES`."""
    scores = torch.rand((len(CLASSES), 10), generator=torch.Generator().manual_seed(5)) + shift
    for row, label in zip(scores, CLASSES, strict=True):
        row[label] = shift + 1.1
    return scores


def argmax(namespace: dict[str, Any]) -> list[Property]:
    """The functions predict_labels and accuracy."""
    name, scores, expected = "predict_labels", _scores(), torch.tensor(CLASSES)
    three_right = torch.tensor([7, 2, 0, 0, 0, 0])
    largest = Text("la classe du plus grand score de chaque image", "the class with the largest score of each image")
    rows = Text("le maximum se cherche dans chaque ligne.", "look for the maximum in each row.")
    return [
        Property(name, [scores], shape=(6,), dtype=torch.int64),
        Property(name, [scores], largest, equals=expected, hint=rows),
        Property(
            name,
            [_scores(-50)],
            Text("aussi si tous les scores sont négatifs", "also if all scores are negative"),
            equals=expected,
        ),
        Property(
            name,
            [scores[:1]],
            Text("aussi pour une image seule", "for a single image, too"),
            shape=(1,),
            dtype=torch.int64,
            equals=expected[:1],
        ),
        _leaves_alone(name, scores),
        Property("accuracy", [scores, three_right], type=float),
        Property(
            "accuracy",
            [scores, three_right],
            Text("la fraction des images bien classées", "the fraction of correctly classified images"),
            equals=0.5,
            hint=_fraction_hint,
        ),
        Property(
            "accuracy",
            [scores[:3], expected[:3]],
            Text("1.0 si tout est juste", "1.0 if every label is right"),
            equals=1.0,
        ),
        Property(
            "accuracy",
            [scores[:3], expected[:3] + 1],
            Text("0.0 si tout est faux", "0.0 if every label is wrong"),
            equals=0.0,
        ),
        _leaves_alone("accuracy", scores, three_right),
    ]


def _fraction_hint(value: Any) -> Text | None:
    if value == 50:
        return Text(
            "un pourcentage, au lieu d'une fraction entre 0 et 1.", "a percentage, not a fraction between 0 and 1."
        )
    if value == 3:
        return Text(
            "le nombre d'images bien classées, sans division.", "the number of correct images, without a division."
        )
    return None


# -- models ------------------------------------------------------------------------------------------------------------


def _images(n: int) -> torch.Tensor:
    return torch.rand((n, 28, 28), generator=torch.Generator().manual_seed(3))


def _differ(outputs: torch.Tensor) -> bool:
    return bool((outputs[0] - outputs[1]).abs().max() > 1e-6)


def _are_logits(outputs: torch.Tensor) -> bool:
    """Whether the outputs are neither probabilities nor all positive. Logarithms of probabilities are as good."""
    return bool((outputs < 0).any()) and all(bool((outputs.sum(dim=d) - 1).abs().max() > 1e-3) for d in (0, 1))


@torch.no_grad()
def _is_steady(model: nn.Module) -> bool:
    """Whether two calls give the same outputs."""
    return torch.allclose(model(_images(3)), model(_images(3)), atol=1e-4)


@torch.no_grad()
def _treats_images_separately(model: nn.Module) -> bool:
    """Whether an image has the same outputs alone and in a batch."""
    images = _images(4)
    alone = torch.cat([model(image[None]) for image in images])
    return torch.allclose(model(images), alone, atol=1e-4)


@torch.no_grad()
def _leaves_images_alone(model: nn.Module) -> bool:
    images = _images(3)
    model(images)
    return torch.equal(images, _images(3))


@torch.no_grad()
def _activates_with_relu(model: nn.Module) -> bool:
    """Whether the model, without its biases, does what relu does: it scales with its input, and it is not linear."""
    images = _images(4)
    model(images)  # creates the parameters of lazy layers
    biases = {p: p.clone() for p in model.parameters() if p.dim() == 1}
    for bias in biases:
        bias.zero_()
    once, thrice, opposite = (y - y[:, :1] for y in (model(images), model(3 * images), model(-images)))
    for bias, before in biases.items():
        bias.copy_(before)
    return torch.allclose(thrice, 3 * once, rtol=1e-3, atol=1e-5) and not torch.allclose(opposite, -once, atol=1e-4)


def _can_learn(model: nn.Module) -> bool:
    """Whether each parameter changes the loss."""
    nn.functional.cross_entropy(model(_images(16)), torch.arange(16) % 10).backward()
    return all(p.grad is not None and bool(p.grad.any()) for p in model.parameters())


def _has(n_parameters: int, model: nn.Module) -> bool:
    with torch.no_grad():
        model(_images(1))  # creates the parameters of lazy layers
    return sum(p.numel() for p in model.parameters()) == n_parameters


def model(name: str, reshape: Text, namespace: dict[str, Any]) -> list[Property]:
    """A model of ten outputs; ``reshape`` is the likely cause of a wrong shape."""
    number = N_PARAMETERS[name]
    written = f"{number:,}".replace(",", " ")
    probabilities = Text(
        "aucune sortie n'est négative, ou ce sont des probabilités : rendez les logits.",
        "no output is negative, or they are probabilities: return the logits.",
    )
    return [
        Property(
            name, [_images(4)], Text("dix sorties par image", "ten outputs for each image"), shape=(4, 10), hint=reshape
        ),
        Property(
            name,
            [_images(1)],
            Text("aussi pour une image seule", "for a single image, too"),
            shape=(1, 10),
            hint=reshape,
        ),
        Property(
            name,
            [_images(4)],
            Text("des images différentes ont des sorties différentes", "different images have different outputs"),
            holds=_differ,
        ),
        Property(
            name,
            [_images(4)],
            Text("des logits, sans softmax", "logits, without a softmax"),
            holds=_are_logits,
            hint=probabilities,
        ),
        Property(
            name,
            (),
            Text("les mêmes sorties à chaque appel", "the same outputs in each call"),
            holds=_is_steady,
            hint=Text(
                "le modèle tire des nombres au hasard, comme dropout.",
                "the model draws random numbers, such as dropout.",
            ),
        ),
        Property(
            name,
            (),
            Text(
                "une image a les mêmes sorties seule et dans un lot",
                "an image has the same outputs alone and in a batch",
            ),
            holds=_treats_images_separately,
            hint=Text(
                "un calcul mélange les images du lot, comme dim=0 ou BatchNorm.",
                "something mixes the images of the batch, such as dim=0 or BatchNorm.",
            ),
        ),
        Property(
            name,
            (),
            Text("les images restent intactes", "the images are not modified"),
            holds=_leaves_images_alone,
        ),
        Property(
            name,
            (),
            Text(f"{written} paramètres, comme dans l'énoncé", f"{written} parameters, as in the exercise"),
            holds=partial(_has, number),
            hint=Text(
                "une couche manque, est de trop, ou a une autre taille.",
                "a layer is missing, superfluous, or of another size.",
            ),
        ),
        Property(
            name,
            (),
            Text("des activations relu, sur les images telles quelles", "relu activations, on the images as they are"),
            holds=_activates_with_relu,
            hint=Text(
                "une activation manque ou n'est pas relu, ou les images sont modifiées avant la première couche.",
                "an activation is missing or is not relu, or the images are changed before the first layer.",
            ),
        ),
        Property(
            name,
            (),
            Text("chaque paramètre compte dans les sorties", "each parameter counts in the outputs"),
            holds=_can_learn,
            hint=Text(
                "une couche ne sert pas dans forward, ou le calcul est coupé (detach, no_grad).",
                "a layer is not used in forward, or the computation is cut off (detach, no_grad).",
            ),
        ),
    ]


FLATTEN = Text(
    "une image (28, 28) devient un vecteur de 784 valeurs, puis dix sorties.",
    "an image (28, 28) becomes a vector of 784 values, then ten outputs.",
)


def convolution(features: int) -> Text:
    """The likely cause of a wrong shape in a network whose layer fc1 has this number of inputs."""
    return Text(
        f"la convolution attend (N, 1, 28, 28), la couche fc1 attend (N, {features}).",
        f"the convolution expects (N, 1, 28, 28), the layer fc1 expects (N, {features}).",
    )


def accuracy(name: str, required: float, namespace: dict[str, Any]) -> list[Property]:
    """The accuracy of a trained model, in the variable ``name``."""
    return [
        Property(name, type=float, says=Text("une fraction, de type float", "a fraction, of type float")),
        Property(
            name,
            says=Text(f"au moins {required} sur les images de test", f"at least {required} on the test images"),
            holds=lambda accuracy: accuracy >= required,
            hint=Text(
                "entraînez jusqu'à la dernière époque, ou corrigez le modèle.",
                "train to the last epoch, or correct the model.",
            ),
        ),
    ]
