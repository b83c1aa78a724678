"""Usual mistakes in classifiers of images, for batches (N, ..., rows, columns) with values in [0, 1]."""

from collections.abc import Callable

import torch
from torch.nn import functional as F

from ..messages import Text
from .model_suspects import ACTIVATION_SUSPECTS, OUTPUT_SUSPECTS, ModelCauses, ModelSuspects, replacing

IMAGE_CAUSES = ModelCauses(
    not_finite=Text(
        "les sorties contiennent des NaN ou des infinis : le logarithme d'un softmax (rendez les logits), une "
        "exponentielle ou une division par zéro ?",
        "the outputs contain NaN or infinity: the logarithm of a softmax (return the logits), an exponential or a "
        "division by zero?",
    ),
    not_training=Text(
        "hors de l'entraînement (model.eval(), self.training), ou après un premier appel, le modèle calcule autre "
        "chose que les logits.",
        "outside of training (model.eval(), self.training), or after a first call, the model computes something other "
        "than the logits.",
    ),
    random=Text(
        "deux appels sur les mêmes images donnent des sorties différentes : un tirage au hasard (dropout, bruit).",
        "two calls on the same images give different outputs: something is drawn at random (dropout, noise).",
    ),
    mixed=Text(
        "la sortie d'une image dépend des autres images du lot : un softmax, une moyenne ou une normalisation sur "
        "dim=0, ou un view qui mélange les images.",
        "the output for an image depends on the other images in the batch: a softmax, a mean or a normalization over "
        "dim=0, or a view that mixes images.",
    ),
    same_outputs=Text("deux images différentes reçoivent la même sortie.", "two different images get the same output."),
    weights_unused=Text(
        "le modèle classe les images même quand ses poids n'ont plus de sens : ce n'est pas eux qu'il utilise.",
        "the model still classifies the images when its weights are scrambled, so it does not use them.",
    ),
)
"""The general sentences, worded for images and class scores."""

_LOGITS: ModelSuspects = [
    (Text("les sorties passent encore par un softmax sur les classes, que CrossEntropyLoss contient déjà.",
          "the outputs still go through a softmax over the classes, which CrossEntropyLoss already contains."),
     lambda m, x: m(x).softmax(1)),
    (Text("les sorties passent encore par un softmax sur les images du lot (dim=0).",
          "the outputs still go through a softmax over the images of the batch (dim=0)."),
     lambda m, x: m(x).softmax(0)),
    (Text("les sorties passent par un log_softmax sur les images du lot (dim=0).",
          "the outputs go through a log_softmax over the images of the batch (dim=0)."),
     lambda m, x: m(x).log_softmax(0)),
    (Text("relu est appliqué aux sorties : les logits négatifs sont perdus.",
          "relu is applied to the outputs: negative logits are lost."), lambda m, x: m(x).relu()),
]  # fmt: skip
"""Mistakes after the last layer of a classifier."""

_PIXELS: ModelSuspects = [
    (Text("les images sont transposées : lignes et colonnes sont échangées.",
          "the images are transposed: rows and columns are swapped."), lambda m, x: m(x.transpose(-2, -1))),
    (Text("les images sont retournées de haut en bas.", "the images are flipped upside down."),
     lambda m, x: m(x.flip(-2))),
    (Text("les images sont retournées de gauche à droite.", "the images are flipped left to right."),
     lambda m, x: m(x.flip(-1))),
    (Text("les images sont tournées d'un demi-tour.", "the images are rotated by half a turn."),
     lambda m, x: m(x.flip(-2, -1))),
    (Text("les images sont tournées d'un quart de tour.", "the images are rotated by a quarter turn."),
     lambda m, x: m(x.rot90(1, (-2, -1)))),
    (Text("les images du lot sont dans un autre ordre.", "the images in the batch are in a different order."),
     lambda m, x: m(x.flip(0))),
    (Text("les images sont divisées une fois de plus : elles sont déjà entre 0 et 1.",
          "the images are divided a second time: they are already between 0 and 1."), lambda m, x: m(x / 255)),
    (Text("les images sont multipliées : elles sont déjà entre 0 et 1.",
          "the images are multiplied: they are already between 0 and 1."), lambda m, x: m(x * 255)),
    (Text("les valeurs des images sont décalées et divisées, comme par transforms.Normalize.",
          "the values of the images are shifted and divided, as transforms.Normalize does."),
     lambda m, x: m((x - 0.1307) / 0.3081)),
    (Text("les valeurs des images sont ramenées entre -1 et 1.",
          "the values of the images are scaled to the range from -1 to 1."), lambda m, x: m((x - 0.5) / 0.5)),
    (Text("chaque image est normalisée par sa moyenne et son écart type.",
          "each image is normalized by its mean and standard deviation."),
     lambda m, x: m((x - x.mean((-2, -1), keepdim=True)) / x.std((-2, -1), keepdim=True))),
    (Text("chaque pixel devient 0 ou 1 selon qu'il est noir.", "each pixel becomes 0 if it is black, otherwise 1."),
     lambda m, x: m((x > 0).float())),
    (Text("les images sont inversées (1 - x).", "the images are inverted (1 - x)."), lambda m, x: m(1 - x)),
    (Text("les images sont décalées (x - 0.5).", "the values of the images are shifted (x - 0.5)."),
     lambda m, x: m(x - 0.5)),
    (Text("les images sont arrondies à 0 ou 1.", "the pixels are rounded to 0 or 1."), lambda m, x: m(x.round())),
    (Text("les valeurs des images sont normalisées avec la moyenne du lot, ou une autre, dans le modèle.",
          "the values of the images are normalized in the model, using the batch mean or some other value."),
     lambda m, x: m((x - x.mean()) / x.std())),
    (Text("la moyenne du lot est retranchée des images.", "the mean of the batch is subtracted from the images."),
     lambda m, x: m(x - x.mean())),
]  # fmt: skip
"""Mistakes before the first layer."""


def _pooling(cause: Text, function: Callable[[torch.Tensor], torch.Tensor], calls: range) -> ModelSuspects:
    """Another ``function`` instead of the max pooling, at each call (0) or at one of the ``calls``."""
    return [(cause, replacing(F.max_pool2d, lambda x, *_, **__: function(x), n)) for n in calls]


_POOLING: ModelSuspects = [
    *_pooling(Text("le pooling prend la moyenne au lieu du maximum.",
                   "the pooling takes the mean instead of the maximum."),
              lambda x: F.avg_pool2d(x, 2), range(5)),
    *_pooling(Text("le pooling prend le minimum au lieu du maximum.",
                   "the pooling takes the minimum instead of the maximum."),
              lambda x: -F.max_pool2d(-x, 2), range(5)),
    *_pooling(Text("le pooling n'a pas les réglages de l'énoncé (kernel_size, stride, padding).",
                   "the settings of the pooling differ from the exercise (kernel_size, stride, padding)."),
              lambda x: F.max_pool2d(x, 3, 2, 1), range(4)),
    *_pooling(Text("le pooling est remplacé par une valeur sur deux : une convolution avec stride=2, une tranche [::2] "
                   "ou interpolate.",
                   "pooling is replaced by keeping every second value: a convolution with stride=2, a slice [::2] or "
                   "interpolate."),
              lambda x: x[:, :, ::2, ::2], range(4)),
]  # fmt: skip
"""Other functions instead of a max pooling of size 2."""

_FLATTENING: ModelSuspects = [
    (Text("les canaux sont déplacés avant la mise à plat (permute) : gardez l'ordre (N, canaux, lignes, colonnes).",
          "the channels are moved before flattening (permute): keep the order (N, channels, rows, columns)."),
     replacing(torch.Tensor.flatten, lambda x, *_: x.permute(0, 2, 3, 1).reshape(len(x), -1))),
    (Text("lignes et colonnes sont échangées avant la mise à plat.", "rows and columns are swapped before flattening."),
     replacing(torch.Tensor.flatten, lambda x, *_: x.transpose(2, 3).reshape(len(x), -1))),
]  # fmt: skip
"""A different order of the features (N, channels, rows, columns) before the linear layers."""


def _padded(x: torch.Tensor, mode: str) -> torch.Tensor:
    return F.pad(x, (1, 1, 1, 1), mode=mode)


_CONVOLUTIONS: list[Callable[..., torch.Tensor]] = [
    lambda x, w, b: F.conv2d(x, w, b, padding=2, dilation=2),
    lambda x, w, b: F.conv2d(_padded(x, "circular"), w, b),
    lambda x, w, b: F.conv2d(_padded(x, "reflect"), w, b),
    lambda x, w, b: F.conv2d(_padded(x, "replicate"), w, b),
]
"""Other settings of a convolution with kernel size 3 and padding 1 that give the same shape."""


def _convolution_suspects(n: int) -> ModelSuspects:
    """Other settings in the ``n``-th convolution, or in each of them if ``n`` is 0."""
    cause = Text(
        "une convolution n'a pas les réglages de l'énoncé (stride, padding, dilation).",
        "the settings of a convolution differ from the exercise (stride, padding, dilation).",
    )
    return [(cause, replacing(torch.conv2d, lambda x, w, b, *_, f=f: f(x, w, b), n)) for f in _CONVOLUTIONS]


def _twice(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """A linear layer that is applied twice, if its inputs and outputs have the same size; else one that is left out."""
    if weight.shape[0] != weight.shape[1]:
        return x
    return F.linear(F.linear(x, weight, bias).relu(), weight, bias)


IMAGE_SUSPECTS: ModelSuspects = [
    *_LOGITS,
    *OUTPUT_SUSPECTS,
    *_PIXELS,
    *ACTIVATION_SUSPECTS,
    *_POOLING,
    *_FLATTENING,
    *(suspect for n in range(4) for suspect in _convolution_suspects(n)),
    (Text("une couche est appliquée deux fois.", "a layer is applied twice."), replacing(F.linear, _twice, 2)),
]
"""Usual mistakes of classifiers made of convolutions, relu, max pooling of size 2 and linear layers."""
