"""The behaviour fingerprint of a model, independent of its weights.

It decides whether a finished training run can be reused.

The fingerprint is a loss and its gradients on a small batch, with the same weights injected; the buffers after that;
and a loss in evaluation mode. With cross entropy, a model that returns log-probabilities matches one that returns
logits, as in training. A different activation, axis or dropout does not match.
"""

import hashlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from ..device import seed
from ..training import TrainingRun
from .model_state import Attributes, by_shape, copied_state, left_as_it_was, load_state, shapes_of

BEHAVIOUR_ROWS = 32


def inputs_of(run: TrainingRun) -> list[torch.Tensor]:
    """The data of a training run: images and labels to learn from, and perhaps those to test with."""
    return [value for value in run.arguments.values() if isinstance(value, torch.Tensor)]


def behaviour_of(run: TrainingRun) -> list[torch.Tensor]:
    """The behaviour fingerprint of the model in ``run``, which is left as it was.

    It consists of the loss and gradients on a small batch, with weights drawn from a fixed seed; then the buffers, and
    an evaluation loss. If the loop uses cross entropy, so does this: logits and log-probabilities then give the same
    loss, as in training. For any other loss, it uses a loss that weights every output differently.

    Raises:
        TypeError: if forward counts its calls, creates parameters or buffers, or stores state that evaluation needs
            outside them. Copying weights would not copy that state.
    """
    parameters = by_shape(run.model)
    generator = torch.Generator().manual_seed(0)
    crossed = re.search(r"\b(CrossEntropyLoss|cross_entropy)\b", inspect.getsource(run.loop)) is not None
    modes = sorted({module.training for module in run.model.modules()})  # the loop may leave them as they are
    with left_as_it_was(run.model), torch.random.fork_rng():
        with torch.no_grad():
            for p in parameters:
                if p.dim() > 1:
                    p.copy_(torch.randn(p.shape, generator=generator) * (2 / p.shape[1:].numel()) ** 0.5)
                elif not bool((p == 1).all()):  # keep the gain of a normalization: with 0, later layers have no effect
                    p.zero_()
        attributes, shapes = Attributes(run.model), shapes_of(run.model)
        run.model.train()
        loss, structure = _loss(run, crossed)
        found = [loss.detach(), *torch.autograd.grad(loss, parameters)]
        counts = _numbers(run.model)
        with torch.no_grad():
            _loss(run, crossed)
        if _numbers(run.model) != counts:
            raise TypeError("it counts its calls")
        state = copied_state(run.model)
        found += state[len(parameters) :]
        with torch.no_grad():
            run.model.eval()
            evaluated, _ = _loss(run, crossed)
            attributes.restore()
            if shapes_of(run.model) != shapes or len(state) != len(shapes):
                raise TypeError("its forward creates parameters or buffers")
            load_state(run.model, state)
            run.model.eval()
            again, _ = _loss(run, crossed)
        if not torch.allclose(evaluated, again):
            raise TypeError("it stores state that evaluation needs outside its parameters and buffers")
    found += [evaluated, torch.tensor(modes)]
    if structure:  # the loop may use the parts of the outputs in different ways
        found.append(torch.tensor(list(hashlib.sha256(repr(structure).encode()).digest())))
    return found


def _loss(run: TrainingRun, crossed: bool) -> tuple[torch.Tensor, list[str]]:
    """A loss of the model on a small batch, and the paths and shapes of its outputs. Dropout is part of the behaviour.

    Cross entropy checks the shape itself; another loss may broadcast outputs (N,) to (N, 1).
    """
    rows, *labels = first_rows(run)
    seed(0)
    output = run.model(rows)
    parts = dict(parts_of(output))
    paths = sorted(parts)
    if crossed and isinstance(output, torch.Tensor) and output.dim() == 2 and labels and labels[0].dim() == 1:
        return nn.functional.cross_entropy(output, labels[0]), []
    outputs = torch.cat([parts[path].flatten() for path in paths])
    loss = (outputs + torch.arange(len(outputs), device=outputs.device).cos()).square().mean()
    return loss, [f"{path}{tuple(parts[path].shape)}" for path in paths]


def first_rows(run: TrainingRun) -> list[torch.Tensor]:
    """A copy of the first rows of the training data. A copy, because forward may write to it."""
    device = next(run.model.parameters()).device
    return [value[:BEHAVIOUR_ROWS].to(device, copy=True) for value in inputs_of(run)[:2]]


def _numbers(model: nn.Module) -> list[tuple[str, float]]:
    """Numeric attributes that a module may use as a call counter."""
    return [item for module in model.modules() for item in vars(module).items() if type(item[1]) in (int, float)]


def parts_of(output: Any, path: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of a model's output, by their paths. The output may be a tuple, a list or a dict of tensors."""
    if isinstance(output, torch.Tensor):
        yield path, output
    else:
        for key, part in output.items() if isinstance(output, dict) else enumerate(output):
            yield from parts_of(part, f"{path}[{key!r}]")


def has_plausible_initial_weights(model: nn.Module) -> bool:
    """Whether a model can be expected to learn from its initial values, which are not in the behaviour fingerprint.

    By this measure, the initializations of torch, Glorot and He have deviations of 0.4 to 1.5 and a mean of about 0.
    """
    tables = {m.weight.data_ptr() for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)}
    for parameter in map(torch.Tensor.detach, model.parameters()):
        deviation = parameter.std().item() if parameter.numel() > 1 else 1.0
        # a few values may share a sign by chance
        aside = abs(parameter.mean().item()) > deviation and (parameter.numel() >= 16 or deviation == 0)
        if parameter.dim() > 1:
            summed = 1 if parameter.data_ptr() in tables else parameter[0].numel()  # an embedding only looks up rows
            table = parameter.flatten(1)  # equal units stay equal, and a unit with equal weights only sees a sum
            equal = any(len(rows) > 1 and bool((rows == rows[0]).all()) for rows in (table, table.T))
            blind = summed > 1 and not bool(table.any(dim=1).all())  # a unit with zero input weights may never learn
            if aside or equal or blind or not 0.1 <= deviation * summed**0.5 <= 3:
                return False
        else:
            furthest = parameter.abs().max().item()  # a large bias switches off the next units, or hides their inputs
            gain = bool((parameter == 1).all())
            if not gain and (furthest > 1 or (aside and furthest > 0.2)):
                return False
    return True
