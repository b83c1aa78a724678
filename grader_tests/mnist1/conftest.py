"""What the hidden tests of mnist1 share."""

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector
from torch.overrides import TorchFunctionMode

from course_lib.authoring.expect import Suspects, wrong
from course_lib.authoring.failures import OtherParameters, StudentFailure
from course_lib.authoring.notebook import StudentNotebook, Weights
from course_lib.kernel.training_reuse import by_shape
from course_lib.messages import Text
from course_lib.reference import mnist1 as reference

THRESHOLDS = json.loads(Path(__file__).with_name("thresholds.json").read_text())

BY_CHANCE = 1000
"""Images for a model whose weights make no sense."""


class ModelTests:
    """Compares a model of the notebook with the reference model of the same name, by what they compute."""

    def __init__(self, student: StudentNotebook) -> None:
        self.student = student
        self.generator = torch.Generator().manual_seed(1)

    def images(self, n: int) -> torch.Tensor:
        """Random images, float32 (n, 28, 28): some pixels are 0, and none has the largest value of MNIST, 1."""
        grey, ink = torch.rand((2, n, 28, 28), generator=self.generator)
        contrast = 0.4 + 0.5 * torch.rand((n, 1, 1), generator=self.generator)
        return grey * (ink < 0.6) * contrast

    def weights(self, model: nn.Module, size: float = 1.5) -> list[torch.Tensor]:
        """Random weights for ``model``, none of them zero: every layer and every bias shows in the outputs."""
        scale = [size / p[0].numel() ** 0.5 if p.dim() > 1 else 0.3 for p in by_shape(model)]
        return [torch.randn(p.shape, generator=self.generator) * s for p, s in zip(by_shape(model), scale, strict=True)]

    def must_give_ten_outputs(self, name: str) -> None:
        """``name`` must give ten outputs for each image; a single image has a test of its own."""
        for n in (3, 64):
            self.student.forward(name, torch.rand((n, 28, 28), generator=self.generator))

    def must_agree(self, name: str) -> None:
        """``name`` must give what the reference gives, with the same weights: class probabilities and gradients.

        Log-probabilities are as good as logits: the training cannot tell them apart. Neither does it matter whether a
        model computes with matrices or with their transposes, ``x @ w`` instead of ``F.linear(x, w)``.
        """
        try:
            self._must_agree(name, lambda weight: weight)
        except OtherParameters:
            self._must_agree(name, lambda weight: weight.T if weight.dim() == 2 else weight)

    def _must_agree(self, name: str, turned: Callable[[torch.Tensor], torch.Tensor]) -> None:
        model = getattr(reference, name)()
        orders = list(_orders([turned(p) for p in by_shape(model)]))
        for n, size in ((2, 1.5), (5, 1.5), (17, 6)):  # large weights: an activation may be flat farther out
            weights, x = self.weights(model, size), self.images(n)
            labels = torch.randint(0, 10, (n,), generator=self.generator)
            Weights(weights, 0).copy_into(model)
            logits = model(x)
            gradients = torch.autograd.grad(F.cross_entropy(logits, labels), by_shape(model))
            wanted, missed = logits.detach().log_softmax(1), []
            for order in orders:
                injected = [turned(weights[i]) for i in order]
                answer = self.student.forward(name, x, injected, labels, train=True)
                if close(answer.logits.log_softmax(1), wanted):
                    orders = [order]
                    break
                missed.append((answer.logits, all(bool(g.any()) for g in answer.gradients)))
            else:
                self._blame(name, model, missed, x, [turned(weights[i]) for i in orders[0]])
            for mine, i in zip(answer.gradients, order, strict=True):
                if not close(turned(mine), gradients[i]):
                    raise wrong(COMPARE if mine.any() else CUT_OFF)
        self._draws_nothing(name, x, injected, train=True)
        if not close(self.student.forward(name, x, injected).logits.log_softmax(1), wanted):
            raise wrong(NOT_TRAINING)

    def _blame(
        self,
        name: str,
        model: nn.Module,
        missed: Sequence[tuple[torch.Tensor, bool]],
        x: torch.Tensor,
        weights: list[torch.Tensor],
    ) -> None:
        """Raise the likely cause why none of the outputs in ``missed`` is right; ``x`` are two images or more."""
        outputs = self._draws_nothing(name, x, weights, train=True, times=6)
        if close(outputs[0], outputs[1]):
            raise wrong(SAME)
        with torch.no_grad():
            for cause, mistake in _suspects(model):
                mistaken = mistake(x)
                if any(close(logits, mistaken) for logits, _ in missed):
                    raise wrong(cause)
        if not any(used for _, used in missed):
            raise wrong(UNUSED)
        try:
            alone = [self.student.forward(name, x[i : i + 1], weights, train=True).logits for i in range(len(x))]
        except StudentFailure:  # a single image cannot be normalized over the batch
            raise wrong(OTHERS) from None
        raise wrong(COMPARE if close(torch.cat(alone), outputs) else OTHERS)

    def _draws_nothing(
        self, name: str, x: torch.Tensor, weights: list[torch.Tensor] | None, train: bool, times: int = 3
    ) -> torch.Tensor:
        """The outputs of a model, that must be the same each time."""
        first, *others = (self.student.forward(name, x, weights, train=train).logits for _ in range(times))
        if not first.isfinite().all():
            raise wrong(NO_NUMBERS)
        if not all(close(first, other) for other in others):
            raise wrong(BY_LUCK)
        return first

    def must_keep_a_single_image(self, name: str) -> None:
        """An image must get the same output alone as among others, different images different ones; both stay intact.

        A model with other parameters than the reference begins with its own.
        """
        weights: list[torch.Tensor] | None = self.weights(getattr(reference, name)())
        x = self.images(3)
        try:
            together = self.student.forward(name, x, weights).logits
        except OtherParameters:
            weights = None
            together = self.student.forward(name, x).logits
        alone = torch.cat([self.student.forward(name, x[i : i + 1], weights).logits for i in range(3)])
        if not close(together, alone):
            self._draws_nothing(name, x, weights, train=False)
            raise wrong(OTHERS)
        if not bool((together[0] - together[1]).abs().max() > 1e-4):
            raise wrong(SAME)
        self.student.must_leave_alone(name, x)

    def must_be_accurate(self, variable: str, name: str) -> None:
        """The trained model ``variable`` must be accurate enough.

        Its weights are measured in the judge's own copy of the model, on the test images. Where the copy does not
        compute what the student's model does, the student's model classifies images that were moved by a pixel, once
        with its weights and once with the same numbers in another order: the test labels are public, and a table of
        them must not help.
        """
        kind = getattr(reference, name)
        trained = self.student.weights(variable)
        if not all(bool(p.isfinite().all()) for p in trained.parameters):
            raise wrong(NOT_FINITE)
        copy = self._copy(variable, kind(), trained) if trained.buffers == 0 else None
        if copy is not None:
            weights = parameters_to_vector(copy.parameters()).detach().numpy().tobytes()
            self._must_reach(reference.test_accuracy(kind, weights), THRESHOLDS[name]["accuracy"])
            return
        images, labels = reference.test_set()
        images = reference.shifted(images)
        answer = self.student.forward(variable, images)
        self._must_reach(
            reference.accuracy(answer.logits, labels),
            THRESHOLDS[name]["shifted"],
            " sur des images déplacées d'un pixel",
            " on images that were moved by a pixel",
        )
        disordered = [
            p.flatten()[torch.randperm(p.numel(), generator=self.generator)].reshape(p.shape)
            for p in trained.parameters
        ]
        by_chance = self.student.forward(variable, images[:BY_CHANCE], disordered)
        if reference.accuracy(by_chance.logits, labels[:BY_CHANCE]) >= 0.5:
            raise wrong(NOT_BY_WEIGHTS)

    def _must_reach(self, accuracy: float, threshold: float, fr: str = "", en: str = "") -> None:
        self.student.accuracy = (accuracy, threshold)
        if not accuracy >= threshold:
            raise wrong(
                Text(
                    f"l'exactitude mesurée{fr} est {accuracy:.4f}, trop peu : un défaut du modèle, "
                    "ou un entraînement modifié ou interrompu.",
                    f"the accuracy measured{en} is {accuracy:.4f}, too little: a fault of the model, "
                    "or a training that was changed or interrupted.",
                )
            )

    def _copy(self, variable: str, copy: nn.Module, trained: Weights) -> nn.Module | None:
        """``copy``, a reference model, with the trained weights, if it computes what the student's model computes."""
        if not trained.copy_into(copy.eval()):
            return None
        x = self.images(64)
        outputs = self.student.forward(variable, x).logits.log_softmax(1)
        for order in _orders(trained.parameters):
            Weights([trained.parameters[order.index(i)] for i in range(len(order))], 0).copy_into(copy)
            with torch.no_grad():
                if close(outputs, copy(x).log_softmax(1)):
                    return copy
        return None


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal within what float32 and another order of summation allow; never with NaN."""
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-3, atol=1e-4)


def _orders(parameters: Sequence[torch.Tensor]) -> Iterator[list[int]]:
    """In which orders a model may have ``parameters`` by shape: equal shapes have no order of their own."""
    places = sorted(range(len(parameters)), key=lambda i: tuple(parameters[i].shape))
    groups = [list(group) for _, group in itertools.groupby(places, lambda i: parameters[i].shape)]
    for choice in itertools.product(*(itertools.permutations(group) for group in groups)):
        yield list(itertools.chain(*choice))


CUT_OFF = Text(
    "les sorties sont justes, mais pas les gradients : une partie du calcul en est coupée (detach, data, no_grad, requires_grad=False).",
    "the outputs are right, but not the gradients: a part of the computation is cut off (detach, data, no_grad, requires_grad=False).",
)
NO_NUMBERS = Text(
    "les sorties contiennent des NaN ou des infinis : le logarithme d'un softmax (rendez les logits), une exponentielle "
    "ou une division par zéro ?",
    "the outputs contain NaN or infinity: the logarithm of a softmax (return the logits), an exponential or a division "
    "by zero?",
)
NOT_TRAINING = Text(
    "hors de l'entraînement (model.eval(), self.training), ou après un premier appel, le modèle calcule autre chose "
    "que les logits.",
    "outside of training (model.eval(), self.training), or after a first call, the model computes something other than "
    "the logits.",
)
BY_LUCK = Text(
    "deux appels sur les mêmes images donnent des sorties différentes : un tirage au hasard (dropout, bruit).",
    "two calls on the same images give different outputs: something is drawn at random (dropout, noise).",
)
UNUSED = Text(
    "une couche déclarée dans __init__ ne sert pas dans forward, ou deux fois au lieu d'une autre.",
    "a layer declared in __init__ is not used in forward, or another is used in its place.",
)
COMPARE = Text(
    "comparez une à une vos couches et vos activations, et leur ordre, avec ceux de l'énoncé.",
    "compare your layers and activations, and their order, one by one with those of the exercise.",
)
OTHERS = Text(
    "la sortie d'une image dépend des autres images du lot : un softmax, une moyenne ou une normalisation sur dim=0, "
    "ou un view qui mélange les images.",
    "the output of an image depends on the other images of the batch: a softmax, a mean or a normalization over dim=0, "
    "or a view that mixes images.",
)
SAME = Text("deux images différentes reçoivent la même sortie.", "two different images get the same output.")
NOT_FINITE = Text("des poids sont NaN ou infinis.", "some weights are NaN or infinite.")
NOT_BY_WEIGHTS = Text(
    "le modèle classe les images même quand ses poids n'ont plus de sens : ce n'est pas eux qu'il utilise.",
    "the model classifies the images even when its weights make no sense: it does not use them.",
)

OUTSIDE: Suspects = {
    Text("les sorties passent encore par un softmax sur les classes, que CrossEntropyLoss contient déjà.",
         "the outputs still go through a softmax over the classes, which CrossEntropyLoss already contains."):
        lambda m, x: m(x).softmax(1),
    Text("les sorties passent encore par un softmax sur les images du lot (dim=0).",
         "the outputs still go through a softmax over the images of the batch (dim=0)."):
        lambda m, x: m(x).softmax(0),
    Text("les sorties passent par un log_softmax sur les images du lot (dim=0).",
         "the outputs go through a log_softmax over the images of the batch (dim=0)."):
        lambda m, x: m(x).log_softmax(0),
    Text("relu est appliqué aux sorties : les logits négatifs sont perdus.",
         "relu is applied to the outputs: negative logits are lost."): lambda m, x: m(x).relu(),
    Text("une sigmoïde est appliquée aux sorties.", "a sigmoid is applied to the outputs."):
        lambda m, x: m(x).sigmoid(),
    Text("tanh est appliqué aux sorties.", "tanh is applied to the outputs."): lambda m, x: m(x).tanh(),
    Text("le signe des sorties est inversé.", "the sign of the outputs is inverted."): lambda m, x: -m(x),
    Text("les images sont transposées : lignes et colonnes sont échangées.",
         "the images are transposed: rows and columns are swapped."): lambda m, x: m(x.transpose(1, 2)),
    Text("les images sont retournées de haut en bas.", "the images are flipped upside down."): lambda m, x: m(x.flip(1)),
    Text("les images sont retournées de gauche à droite.", "the images are flipped left to right."):
        lambda m, x: m(x.flip(2)),
    Text("les images sont tournées d'un demi-tour.", "the images are turned by half a turn."):
        lambda m, x: m(x.flip(1, 2)),
    Text("les images sont tournées d'un quart de tour.", "the images are turned by a quarter of a turn."):
        lambda m, x: m(x.rot90(1, (1, 2))),
    Text("les images du lot sont dans un autre ordre.", "the images of the batch are in another order."):
        lambda m, x: m(x.flip(0)),
    Text("les images sont divisées une fois de plus : elles sont déjà entre 0 et 1.",
         "the images are divided once more: they are between 0 and 1 already."): lambda m, x: m(x / 255),
    Text("les images sont multipliées : elles sont déjà entre 0 et 1.",
         "the images are multiplied: they are between 0 and 1 already."): lambda m, x: m(x * 255),
    Text("les valeurs des images sont décalées et divisées, comme par transforms.Normalize.",
         "the values of the images are offset and divided, as by transforms.Normalize."):
        lambda m, x: m((x - 0.1307) / 0.3081),
    Text("les valeurs des images sont ramenées entre -1 et 1.", "the values of the images are scaled to -1 .. 1."):
        lambda m, x: m((x - 0.5) / 0.5),
    Text("chaque image est normalisée par sa moyenne et son écart type.",
         "each image is normalized by its mean and standard deviation."):
        lambda m, x: m((x - x.mean((1, 2), keepdim=True)) / x.std((1, 2), keepdim=True)),
    Text("chaque pixel devient 0 ou 1 selon qu'il est noir.", "each pixel becomes 0 or 1, whether it is black."):
        lambda m, x: m((x > 0).float()),
    Text("les images sont inversées (1 - x).", "the images are inverted (1 - x)."): lambda m, x: m(1 - x),
    Text("les images sont décalées (x - 0.5).", "the images are offset (x - 0.5)."): lambda m, x: m(x - 0.5),
    Text("les images sont arrondies à 0 ou 1.", "the images are rounded to 0 or 1."): lambda m, x: m(x.round()),
    Text("les valeurs des images sont normalisées avec la moyenne du lot, ou une autre, dans le modèle.",
         "the values of the images are normalized in the model, with the mean of the batch."):
        lambda m, x: m((x - x.mean()) / x.std()),
    Text("la moyenne du lot est retranchée des images.", "the mean of the batch is subtracted from the images."):
        lambda m, x: m(x - x.mean()),
}  # fmt: skip
"""Mistakes before or after the layers of a model ``m`` on images ``x``."""


class _Instead(TorchFunctionMode):
    """Has ``other`` called in place of ``function``: at its ``n``-th call, at each if ``n`` is 0."""

    def __init__(self, function: Any, other: Callable[..., torch.Tensor], n: int = 0) -> None:
        super().__init__()
        self.function, self.other, self.n = function, other, n
        self.calls = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is self.function:
            self.calls += 1
            if self.n in (0, self.calls):
                return self.other(*args, **kwargs or {})
        return func(*args, **kwargs or {})


def _step(x: torch.Tensor) -> torch.Tensor:
    return (x > 0).float()


ACTIVATIONS = (
    torch.sigmoid, torch.tanh, F.leaky_relu, F.gelu, F.elu, F.silu, F.softplus, torch.abs, F.relu6, _step, F.selu, F.mish,
    F.hardswish, lambda x: F.leaky_relu(x, 0.1), lambda x: F.leaky_relu(x, 0.2), lambda x: x.clamp(0, 1),
)  # fmt: skip
"""What may stand in place of relu."""


def _suspects(model: nn.Module) -> Iterator[tuple[Text, Callable[[torch.Tensor], torch.Tensor]]]:
    """What a student's model with the weights of ``model`` computes after a usual mistake."""
    for cause, mistake in OUTSIDE.items():
        yield cause, lambda x, mistake=mistake: mistake(model, x)  # type: ignore[misc]

    def instead(*swap: Any) -> Callable[[torch.Tensor], torch.Tensor]:
        def run(x: torch.Tensor) -> torch.Tensor:
            with _Instead(*swap):
                return model(x)  # type: ignore[no-any-return]

        return run

    missing = Text("une activation relu manque.", "a relu activation is missing.")
    other = Text("une activation n'est pas relu.", "an activation is not relu.")
    for n in range(5):
        yield missing, instead(F.relu, lambda x, **_: x, n)
        for activation in ACTIVATIONS:
            yield other, instead(F.relu, lambda x, activation=activation, **_: activation(x), n)
        yield (
            Text("une activation est un softmax au lieu de relu.", "an activation is a softmax instead of relu."),
            instead(F.relu, lambda x, **_: x.softmax(1), n),
        )
        yield (
            Text(
                "le pooling prend la moyenne au lieu du maximum.", "the pooling takes the mean instead of the maximum."
            ),
            instead(F.max_pool2d, lambda x, *_, **__: F.avg_pool2d(x, 2), n),
        )
        yield (
            Text(
                "le pooling prend le minimum au lieu du maximum.",
                "the pooling takes the minimum instead of the maximum.",
            ),
            instead(F.max_pool2d, lambda x, *_, **__: -F.max_pool2d(-x, 2), n),
        )
    yield (
        Text("les canaux sont déplacés avant la mise à plat (permute) : gardez l'ordre (N, canaux, lignes, colonnes).",
             "the channels are moved before the flattening (permute): keep the order (N, channels, rows, columns)."),
        instead(torch.Tensor.flatten, lambda x, *_: x.permute(0, 2, 3, 1).reshape(len(x), -1)),
    )  # fmt: skip
    yield (
        Text(
            "lignes et colonnes sont échangées avant la mise à plat.",
            "rows and columns are swapped before the flattening.",
        ),
        instead(torch.Tensor.flatten, lambda x, *_: x.transpose(2, 3).reshape(len(x), -1)),
    )
    settings = Text(
        "une convolution n'a pas les réglages de l'énoncé (stride, padding, dilation).",
        "a convolution has other settings than the exercise says (stride, padding, dilation).",
    )
    convolutions: tuple[Callable[..., torch.Tensor], ...] = (
        lambda x, w, b: F.conv2d(x, w, b, padding=2, dilation=2),
        lambda x, w, b: F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), w, b),
        lambda x, w, b: F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), w, b),
        lambda x, w, b: F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), w, b),
    )
    wide_pooling = Text(
        "le pooling n'a pas les réglages de l'énoncé (kernel_size, stride, padding).",
        "the pooling has other settings than the exercise says (kernel_size, stride, padding).",
    )
    every_second = Text(
        "le pooling est remplacé par une valeur sur deux : une convolution avec stride=2, une tranche [::2] ou interpolate.",
        "in place of the pooling stands every second value: a convolution with stride=2, a slice [::2] or interpolate.",
    )
    for n in range(4):
        for convolution in convolutions:
            yield settings, instead(torch.conv2d, lambda x, w, b, *_, f=convolution: f(x, w, b), n)
        yield wide_pooling, instead(F.max_pool2d, lambda x, *_, **__: F.max_pool2d(x, 3, 2, 1), n)
        yield every_second, instead(F.max_pool2d, lambda x, *_, **__: x[:, :, ::2, ::2], n)
    yield (
        Text("une couche est appliquée deux fois.", "a layer is applied twice."),
        instead(F.linear, lambda x, w, b: F.linear(F.linear(x, w, b).relu(), w, b) if len(w) == w.shape[1] else x, 2),
    )


@pytest.fixture
def models(student: StudentNotebook) -> ModelTests:
    """Tests of the models of the student's notebook."""
    return ModelTests(student)


@pytest.fixture
def generator() -> torch.Generator:
    """Random numbers that are the same at each run."""
    return torch.Generator().manual_seed(0)
