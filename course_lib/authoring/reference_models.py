"""Reference models and their weights, for a comparison of models."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType

import torch
from torch import nn

from ..compare import close

References = Mapping[str, Callable[[], nn.Module]] | ModuleType | Callable[[str], nn.Module]
"""Reference models by name: a mapping of classes, a module that has the classes, or a function of the name."""


def new_model(references: References, name: str) -> nn.Module:
    """A new reference model, in training mode."""
    if isinstance(references, Mapping):
        return references[name]()
    if isinstance(references, ModuleType):
        return getattr(references, name)()  # type: ignore[no-any-return]
    return references(name)


def output_shape(model: nn.Module, x: torch.Tensor) -> tuple[int, ...]:
    """The shape of the outputs of ``model`` for the batch ``x``. The model is in evaluation mode afterwards."""
    with torch.no_grad():
        return (len(x), *model.eval()(x[:1]).shape[1:])


def random_weights(parameters: Sequence[torch.Tensor], size: float, generator: torch.Generator) -> list[torch.Tensor]:
    """Random weights with the shapes of ``parameters``. None is zero, so every layer and bias affects the outputs.

    Args:
        parameters: parameters of a model.
        size: the standard deviation of a layer's outputs for inputs of size 1.
        generator: draws the numbers.
    """
    scales = [size / p[0].numel() ** 0.5 if p.dim() > 1 else 0.3 for p in parameters]
    return [torch.randn(p.shape, generator=generator) * scale for p, scale in zip(parameters, scales, strict=True)]


def orders_by_shape(parameters: Sequence[torch.Tensor]) -> Iterator[list[int]]:
    """The orders, as lists of positions, that sorting ``parameters`` by shape can give.

    Parameters of the same shape can be in any order, because a model may declare its layers in any order.
    """
    positions = sorted(range(len(parameters)), key=lambda i: tuple(parameters[i].shape))
    groups = [list(group) for _, group in itertools.groupby(positions, lambda i: parameters[i].shape)]
    for choice in itertools.product(*(itertools.permutations(group) for group in groups)):
        yield list(itertools.chain(*choice))


def nearly_equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors are equal up to the rounding errors of float32 and of a different order of summation.

    The absolute tolerance is 1e-4, or more if ``b`` has numbers larger than 1, which have larger rounding errors.
    """
    largest = b.abs().max().item() if b.numel() else 0.0
    return close(a, b, rtol=1e-3, atol=1e-4 * (max(1.0, largest) if math.isfinite(largest) else 1.0))
