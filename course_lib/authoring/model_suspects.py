"""Usual mistakes in models, and the sentences about them: what a comparison of models tells the student.

A mistake is a function of the reference model and a batch. It returns what the model would compute with that mistake.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ..messages import Text

Mistake = Callable[[nn.Module, torch.Tensor], torch.Tensor]

ModelSuspects = Sequence[tuple[Text, Mistake]]
"""Usual mistakes, the likeliest first. The same sentence may occur several times."""


class _Replacing(TorchFunctionMode):
    """While active, calls ``replacement`` instead of ``function``: at its ``n``-th call, or at each call if n is 0."""

    def __init__(self, function: Any, replacement: Callable[..., torch.Tensor], n: int) -> None:
        super().__init__()
        self.function, self.replacement, self.n = function, replacement, n
        self.calls = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is self.function:
            self.calls += 1
            if self.n in (0, self.calls):
                return self.replacement(*args, **kwargs or {})
        return func(*args, **kwargs or {})


def replacing(function: Any, replacement: Callable[..., torch.Tensor], n: int = 0) -> Mistake:
    """The mistake of calling another function in the model.

    Args:
        function: a function of torch that the reference model calls, such as ``torch.nn.functional.relu``.
        replacement: is called instead, with the same arguments.
        n: replace the n-th call only, counted from 1; 0 replaces all of them.
    """

    def mistake(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        with _Replacing(function, replacement, n):
            return model(x)  # type: ignore[no-any-return]

    return mistake


OUTPUT_SUSPECTS: ModelSuspects = [
    (Text("relu est appliqué aux sorties : celles qui sont négatives sont perdues.",
          "relu is applied to the outputs: negative outputs are lost."), lambda m, x: m(x).relu()),
    (Text("une sigmoïde est appliquée aux sorties.", "a sigmoid is applied to the outputs."),
     lambda m, x: m(x).sigmoid()),
    (Text("tanh est appliqué aux sorties.", "tanh is applied to the outputs."), lambda m, x: m(x).tanh()),
    (Text("le signe des sorties est inversé.", "the sign of the outputs is inverted."), lambda m, x: -m(x)),
]  # fmt: skip
"""Mistakes after the last layer."""


def _step(x: torch.Tensor) -> torch.Tensor:
    return (x > 0).float()


_ACTIVATIONS: Sequence[Callable[[torch.Tensor], torch.Tensor]] = (
    torch.sigmoid, torch.tanh, F.leaky_relu, F.gelu, F.elu, F.silu, F.softplus, torch.abs, F.relu6, _step, F.selu,
    F.mish, F.hardswish, lambda x: F.leaky_relu(x, 0.1), lambda x: F.leaky_relu(x, 0.2), lambda x: x.clamp(0, 1),
)  # fmt: skip
"""Activations that a student may use instead of relu."""


def _instead_of_relu(activation: Callable[[torch.Tensor], torch.Tensor], n: int) -> Mistake:
    return replacing(F.relu, lambda x, **_: activation(x), n)


def _activation_suspects(n: int) -> ModelSuspects:
    """Mistakes in the ``n``-th relu of a model, or in each of them if ``n`` is 0."""
    missing = Text("une activation relu manque.", "a relu activation is missing.")
    other = Text("une activation n'est pas relu.", "an activation is not relu.")
    softmax = Text("une activation est un softmax au lieu de relu.", "an activation is a softmax instead of relu.")
    return [
        (missing, _instead_of_relu(lambda x: x, n)),
        *((other, _instead_of_relu(activation, n)) for activation in _ACTIVATIONS),
        (softmax, _instead_of_relu(lambda x: x.softmax(1), n)),
    ]


ACTIVATION_SUSPECTS: ModelSuspects = [suspect for n in range(5) for suspect in _activation_suspects(n)]
"""A missing or wrong activation instead of ``torch.nn.functional.relu``: everywhere, or at one of the first four."""


class ModelCauses(NamedTuple):
    """What a student reads if a model is wrong and none of the usual mistakes explains it."""

    cut_off: Text = Text(
        "les sorties sont justes, mais pas les gradients : une partie du calcul en est coupée (detach, data, no_grad, "
        "requires_grad=False).",
        "the outputs are right, but the gradients are not: part of the computation is detached from the graph (detach, "
        "data, no_grad, requires_grad=False).",
    )
    compare: Text = Text(
        "comparez une à une vos couches et vos activations, et leur ordre, avec ceux de l'énoncé.",
        "compare your layers, your activations and their order, one by one, with those of the exercise.",
    )
    unused_layer: Text = Text(
        "une couche déclarée dans __init__ ne sert pas dans forward, ou deux fois au lieu d'une autre.",
        "a layer declared in __init__ is not used in forward, or another layer is used twice instead.",
    )
    not_finite: Text = Text(
        "les sorties contiennent des NaN ou des infinis : un logarithme, une exponentielle ou une division par zéro ?",
        "the outputs contain NaN or infinity: a logarithm, an exponential or a division by zero?",
    )
    not_training: Text = Text(
        "hors de l'entraînement (model.eval(), self.training), ou après un premier appel, le modèle calcule autre "
        "chose.",
        "outside of training (model.eval(), self.training), or after a first call, the model computes something else.",
    )
    random: Text = Text(
        "deux appels sur les mêmes exemples donnent des sorties différentes : un tirage au hasard (dropout, bruit).",
        "two calls on the same examples give different outputs: something is drawn at random (dropout, noise).",
    )
    mixed: Text = Text(
        "la sortie d'un exemple dépend des autres exemples du lot : une moyenne ou une normalisation sur dim=0, ou un "
        "view qui mélange les exemples.",
        "the output for an example depends on the other examples in the batch: a mean or a normalization over dim=0, "
        "or a view that mixes examples.",
    )
    same_outputs: Text = Text(
        "deux exemples différents reçoivent la même sortie.", "two different examples get the same output."
    )
    weights_not_finite: Text = Text("des poids sont NaN ou infinis.", "some weights are NaN or infinite.")
    weights_unused: Text = Text(
        "le modèle classe les exemples même quand ses poids n'ont plus de sens : ce n'est pas eux qu'il utilise.",
        "the model still classifies the examples when its weights are scrambled, so it does not use them.",
    )
