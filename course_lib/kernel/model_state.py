"""What a model consists of, and how to leave it as it was."""

import contextlib
import copy
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import nn


def by_shape(model: nn.Module) -> list[nn.Parameter]:
    """The parameters of ``model`` in an order that does not depend on their names: by shape, ties as declared."""
    return sorted(model.parameters(), key=lambda p: tuple(p.shape))


def copy_by_shape(model: nn.Module, values: Sequence[torch.Tensor]) -> bool:
    """Copy ``values``, in the order of :func:`by_shape`, into the parameters of ``model``.

    Returns:
        False, and changes nothing, if the shapes differ.
    """
    parameters = by_shape(model)
    if [p.shape for p in parameters] != [value.shape for value in values]:
        return False
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)
    return True


def state_of(model: nn.Module) -> list[torch.Tensor]:
    """Everything that training changes: the parameters, then the buffers, such as batch statistics."""
    return [*by_shape(model), *model.buffers()]


def copied_state(model: nn.Module) -> list[torch.Tensor]:
    """A copy of :func:`state_of`."""
    return [tensor.detach().clone() for tensor in state_of(model)]


def load_state(model: nn.Module, state: Iterable[torch.Tensor]) -> None:
    """Give the parameters and buffers of ``model`` the values in ``state``."""
    with torch.no_grad():
        for tensor, value in zip(state_of(model), state, strict=True):
            tensor.copy_(value)


@contextlib.contextmanager
def left_as_it_was(model: nn.Module) -> Iterator[None]:
    """Restore the parameters, buffers, modes and attributes of ``model`` after the block.

    The model is not copied, because state kept by forward, such as a tensor with its graph, may not be copyable.
    """
    attributes, state = Attributes(model), copied_state(model)
    try:
        yield
    finally:
        attributes.restore()
        load_state(model, state)


class Attributes:
    """The attributes of a model's modules, and the contents of tensors that are neither parameters nor buffers."""

    def __init__(self, model: nn.Module) -> None:
        self._names = [(vars(module), dict(vars(module))) for module in model.modules()]
        values = [value for _, names in self._names for value in names.values()]
        # no subclasses: their methods may do anything
        self._containers = [(v, copy.copy(v)) for v in values if type(v) in (list, dict, set, OrderedDict)]
        self._tensors = [(v, v.detach().clone()) for v in values if isinstance(v, torch.Tensor)]

    def restore(self) -> None:
        """Undo what forward has counted or stored, and the buffers and layers that it has replaced or created."""
        for now, before in (*self._names, *self._containers):
            now.clear()
            (now.extend if isinstance(now, list) else now.update)(before)
        with torch.no_grad():
            for tensor, value in self._tensors:
                if not torch.equal(tensor, value):
                    tensor.copy_(value)


def shapes_of(model: nn.Module) -> list[tuple[int, ...]]:
    """The shapes of the parameters and buffers of ``model``, in the order of :func:`state_of`."""
    return [tuple(tensor.shape) for tensor in state_of(model)]
