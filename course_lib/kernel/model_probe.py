"""How a model behaves, apart from its weights: the probe that decides whether a finished training fits a model.

The probe is a loss and its gradients on a small batch, with the same weights injected; what the buffers then hold; and
a loss in evaluation mode. For the cross entropy, logits and log-probabilities agree there, as they do in the training;
another activation, axis or dropout does not.
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

PROBE_ROWS = 32


def inputs_of(run: TrainingRun) -> list[torch.Tensor]:
    """The data of a training: images and labels to learn from, and perhaps those to test with."""
    return [value for value in run.arguments.values() if isinstance(value, torch.Tensor)]


def probe(run: TrainingRun) -> list[torch.Tensor]:
    """Loss and gradients on a small batch, with weights drawn from a fixed seed; then buffers, and an evaluation loss.

    The loss is the cross entropy where the loop has it, so that logits and log-probabilities agree there; where the
    loop has another, which may tell them apart, it is one that tells all outputs apart. The model is left as it was.

    Raises:
        TypeError: for a model whose forward counts, makes parameters or buffers, or keeps elsewhere what an evaluation
            needs: that would not come with the weights.
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
                elif not bool((p == 1).all()):  # the gain of a normalization stays: nothing behind a gain of 0 shows
                    p.zero_()
        attributes, shapes = Attributes(run.model), shapes_of(run.model)
        run.model.train()
        loss, places = _loss(run, crossed)
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
                raise TypeError("its forward makes parameters or buffers")
            load_state(run.model, state)
            run.model.eval()
            again, _ = _loss(run, crossed)
        if not torch.allclose(evaluated, again):
            raise TypeError("it keeps what an evaluation needs")
    found += [evaluated, torch.tensor(modes)]
    if places:  # how the loop takes the outputs apart
        found.append(torch.tensor(list(hashlib.sha256(repr(places).encode()).digest())))
    return found


def _loss(run: TrainingRun, crossed: bool) -> tuple[torch.Tensor, list[str]]:
    """A loss of the model on a small batch, and its outputs' places and shapes; dropout is part of the behaviour.

    The cross entropy says the shape by itself; another loss may broadcast outputs (N,) where it gets (N, 1).
    """
    rows, *labels = first_rows(run)
    seed(0)
    output = run.model(rows)
    parts = dict(parts_of(output))
    places = sorted(parts)
    if crossed and isinstance(output, torch.Tensor) and output.dim() == 2 and labels and labels[0].dim() == 1:
        return nn.functional.cross_entropy(output, labels[0]), []
    outputs = torch.cat([parts[place].flatten() for place in places])
    loss = (outputs + torch.arange(len(outputs), device=outputs.device).cos()).square().mean()
    return loss, [f"{place}{tuple(parts[place].shape)}" for place in places]


def first_rows(run: TrainingRun) -> list[torch.Tensor]:
    """A copy of the first rows of what a training learns from: a forward may write in it."""
    device = next(run.model.parameters()).device
    return [value[:PROBE_ROWS].to(device, copy=True) for value in inputs_of(run)[:2]]


def _numbers(model: nn.Module) -> list[tuple[str, float]]:
    """What the modules of a model may count in: at a large count they may do something else."""
    return [item for module in model.modules() for item in vars(module).items() if type(item[1]) in (int, float)]


def parts_of(output: Any, place: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of a model's output, by their place: it may be a tuple, a list or a dict of them."""
    if isinstance(output, torch.Tensor):
        yield place, output
    else:
        for key, part in output.items() if isinstance(output, dict) else enumerate(output):
            yield from parts_of(part, f"{place}[{key!r}]")


def has_usual_weights(model: nn.Module) -> bool:
    """Whether a model can be expected to learn from its initial values, which the probe does not see.

    The deviations of torch's own initializations, of Glorot's and of He's are 0.4 to 1.5 by this measure, around 0.
    """
    tables = {m.weight.data_ptr() for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)}
    for parameter in map(torch.Tensor.detach, model.parameters()):
        deviation = parameter.std().item() if parameter.numel() > 1 else 1.0
        # few different values may all be on one side by chance
        aside = abs(parameter.mean().item()) > deviation and (parameter.numel() >= 16 or deviation == 0)
        if parameter.dim() > 1:
            summed = 1 if parameter.data_ptr() in tables else parameter[0].numel()  # a row of a table is looked up
            table = parameter.flatten(1)  # equal units stay equal, and equal weights of a unit see nothing but a sum
            equal = any(len(rows) > 1 and bool((rows == rows[0]).all()) for rows in (table, table.T))
            blind = summed > 1 and not bool(table.any(dim=1).all())  # a unit that sees nothing may never begin to
            if aside or equal or blind or not 0.1 <= deviation * summed**0.5 <= 3:
                return False
        else:
            furthest = parameter.abs().max().item()  # a far bias shuts the units behind it, or drowns what they get
            gain = bool((parameter == 1).all())
            if not gain and (furthest > 1 or (aside and furthest > 0.2)):
                return False
    return True
