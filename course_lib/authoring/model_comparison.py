"""Compare the models of a notebook with reference models, by what they compute."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import torch
from torch import nn

from ..compare import close
from ..kernel.model_state import by_shape
from ..messages import Text
from ..results.failures import ParameterMismatch, StudentFailure
from .accuracy import AccuracyTest, fraction_right
from .expectations import Suspects, wrong
from .model_suspects import ModelCauses, ModelSuspects
from .notebook import StudentNotebook, Weights
from .reference_models import References, nearly_equal, new_model, orders_by_shape, output_shape, random_weights

_BATCHES = ((2, 1.5), (5, 1.5), (17, 6.0))
"""Numbers of examples, and sizes of the weights. Some activations differ from relu for large inputs only."""

_LABEL_LOSSES = ("cross_entropy", "nll_loss", "multi_margin_loss")
"""Losses whose targets are class labels."""


class ModelComparison:
    """Compares a model of the notebook with the reference model of the same name.

    Both get the same random weights and the same inputs; their outputs and gradients must agree. How the model is
    written and what its layers are called does not matter. With cross entropy, log-probabilities are as good as logits,
    because they give the same training; with any other loss, the outputs themselves must agree.

    Args:
        student: the student's notebook.
        references: the reference models by name. They must not draw random numbers, as dropout does.
        inputs: makes a batch of n inputs, shape (n, ...), with a random generator.
        loss: the name of a loss in ``torch.nn.functional``.
        targets: makes the targets of the loss, with a random generator, for the outputs of the reference model. The
            default makes random class labels; for losses without labels, random numbers in [0, 1).
        suspects: usual mistakes, such as ``IMAGE_SUSPECTS``: functions of the reference model and a batch.
        causes: what the student reads if no suspect explains the answer.
        accuracy: by name, how accurate a trained model must be.
    """

    def __init__(
        self,
        student: StudentNotebook,
        references: References,
        inputs: Callable[[torch.Generator, int], torch.Tensor],
        *,
        loss: str = "cross_entropy",
        targets: Callable[[torch.Generator, torch.Tensor], torch.Tensor] | None = None,
        suspects: ModelSuspects | Suspects = (),
        causes: ModelCauses | None = None,
        accuracy: Mapping[str, AccuracyTest] | None = None,
    ) -> None:
        self.student = student
        self.references = references
        self.inputs = inputs
        self.loss = loss
        self.targets = targets or self._random_targets
        self.suspects = list(suspects.items() if isinstance(suspects, Mapping) else suspects)
        self.causes = causes or ModelCauses()
        self.accuracy = accuracy or {}
        self.generator = torch.Generator().manual_seed(1)

    def must_have_output_shape(self, name: str) -> None:
        """Check that the outputs for a batch have the shape of the reference model's outputs."""
        model = new_model(self.references, name)
        for n in (3, 64):
            x = self.inputs(self.generator, n)
            self.student.forward(name, x, shape=output_shape(model, x))

    def must_agree(self, name: str) -> None:
        """With the same weights, the model must compute the outputs and the gradients of the reference model.

        A model may compute with matrices or with their transposes: ``x @ w`` is as good as ``F.linear(x, w)``.
        """
        try:
            self._must_agree(name, lambda weight: weight)
        except ParameterMismatch:
            self._must_agree(name, lambda weight: weight.T if weight.dim() == 2 else weight)

    def must_treat_examples_separately(self, name: str) -> None:
        """Check that an example gets the same output alone and in a batch, and that other examples get others.

        The model must not modify its inputs. If its parameters differ in shape from those of the reference model, it is
        tested with its own initial weights.
        """
        model = new_model(self.references, name)
        weights: list[torch.Tensor] | None = random_weights(by_shape(model), 1.5, self.generator)
        x = self.inputs(self.generator, 3)
        shape = output_shape(model, x)
        try:
            together = self.student.forward(name, x, weights, shape=shape).outputs
        except ParameterMismatch:
            weights = None  # its own initial ones
            together = self.student.forward(name, x, shape=shape).outputs
        if not nearly_equal(together, self._one_by_one(name, x, weights, shape, train=False)):
            self._repeated(name, x, weights, shape, train=False)
            raise wrong(self.causes.mixed)
        if not bool((together[0] - together[1]).abs().max() > 1e-4):
            raise wrong(self.causes.same_outputs)
        self.student.must_not_modify(name, x)

    def must_be_accurate(self, variable: str, name: str) -> None:
        """The trained model ``variable``, of the class ``name``, must be accurate enough.

        The judge measures its own copy of the model, with the trained weights. If that copy does not compute what the
        student's model computes, the student's model classifies disguised test inputs: once with its weights, and once
        with its weights shuffled, where it must fail. Otherwise a hard-coded table of the public test labels could
        pass.
        """
        test = self.accuracy[name]
        trained = self.student.weights(variable)
        if not all(bool(p.isfinite().all()) for p in trained.parameters):
            raise wrong(self.causes.weights_not_finite)
        model = new_model(self.references, name)
        if trained.buffers == 0 and self._copy(variable, model, trained):
            test.must_reach(self.student, test.measure(model))
            return
        x, labels = test.disguised()
        shape = output_shape(model, x)
        outputs = self.student.forward(variable, x, shape=shape).outputs
        test.must_reach(self.student, fraction_right(outputs, labels), on_disguised=True)
        shuffled = [_shuffled(p, self.generator) for p in trained.parameters]
        x, labels = x[: test.by_chance_inputs], labels[: test.by_chance_inputs]
        outputs = self.student.forward(variable, x, shuffled, shape=(len(x), *shape[1:])).outputs
        if fraction_right(outputs, labels) >= test.by_chance:
            raise wrong(self.causes.weights_unused)

    def _random_targets(self, generator: torch.Generator, outputs: torch.Tensor) -> torch.Tensor:
        if self.loss in _LABEL_LOSSES:
            return torch.randint(0, outputs.shape[1], (len(outputs),), generator=generator)
        return torch.rand(outputs.shape, generator=generator)

    def _agree(self, outputs: torch.Tensor, expected: torch.Tensor) -> bool:
        """Whether the outputs are as good as the expected ones."""
        if self.loss == "cross_entropy":
            return close(outputs.log_softmax(1), expected.log_softmax(1), rtol=1e-3, atol=1e-4)
        return nearly_equal(outputs, expected)

    def _must_agree(self, name: str, turned: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Compare the models, with each weight ``turned`` before it is injected: transposed, or left as it is."""
        model = new_model(self.references, name)
        orders = list(orders_by_shape([turned(p) for p in by_shape(model)]))
        for n, size in _BATCHES:
            weights, x = random_weights(by_shape(model), size, self.generator), self.inputs(self.generator, n)
            Weights(weights, 0).copy_into(model)
            outputs = model(x)
            expected = outputs.detach()
            targets = self.targets(self.generator, expected)
            gradients = torch.autograd.grad(getattr(nn.functional, self.loss)(outputs, targets), by_shape(model))
            missed, uses_all = [], False
            for order in orders:
                injected = [turned(weights[i]) for i in order]
                answer = self.student.forward(
                    name, x, injected, targets, shape=expected.shape, loss=self.loss, train=True
                )
                if self._agree(answer.outputs, expected):
                    orders = [order]
                    break
                missed.append(answer.outputs)
                uses_all = uses_all or all(bool(gradient.any()) for gradient in answer.gradients)
            else:
                self._blame(name, model, missed, uses_all, x, [turned(weights[i]) for i in orders[0]])
            for gradient, i in zip(answer.gradients, order, strict=True):
                if not nearly_equal(turned(gradient), gradients[i]):
                    raise wrong(self.causes.compare if gradient.any() else self.causes.cut_off)
        self._repeated(name, x, injected, expected.shape, train=True)
        fresh = new_model(self.references, name).eval()  # training mode has changed the buffers of the other one
        Weights(weights, 0).copy_into(fresh)
        with torch.no_grad():
            expected = fresh(x)
        if not self._agree(self.student.forward(name, x, injected, shape=expected.shape).outputs, expected):
            raise wrong(self.causes.not_training)

    def _blame(
        self,
        name: str,
        model: nn.Module,
        missed: Sequence[torch.Tensor],
        uses_all: bool,
        x: torch.Tensor,
        weights: list[torch.Tensor],
    ) -> NoReturn:
        """Raise a failure with the likely cause of the wrong outputs in ``missed``. ``x`` has at least two examples."""
        shape = missed[0].shape
        outputs = self._repeated(name, x, weights, shape, train=True, times=6)
        if nearly_equal(outputs[0], outputs[1]):
            raise wrong(self.causes.same_outputs)
        if (cause := self._suspect(model, missed, x)) is not None:
            raise wrong(cause)
        if not uses_all:
            raise wrong(self.causes.unused_layer)
        try:
            alone = self._one_by_one(name, x, weights, shape, train=True)
        except StudentFailure:  # such as a normalization over the batch, which fails for a single example
            raise wrong(self.causes.mixed) from None
        raise wrong(self.causes.compare if nearly_equal(alone, outputs) else self.causes.mixed)

    def _suspect(self, model: nn.Module, missed: Sequence[torch.Tensor], x: torch.Tensor) -> Text | str | None:
        """The cause of the first mistake that produces one of the outputs in ``missed``."""
        for cause, mistake in self.suspects:
            with torch.no_grad(), contextlib.suppress(RuntimeError, IndexError):  # not every mistake fits this model
                mistaken = mistake(model, x)
                if any(nearly_equal(outputs, mistaken) for outputs in missed):
                    found: Text | str = cause
                    return found
        return None

    def _one_by_one(
        self, name: str, x: torch.Tensor, weights: list[torch.Tensor] | None, shape: Sequence[int], train: bool
    ) -> torch.Tensor:
        """The outputs of the student's model for each example of ``x`` alone, combined in one tensor."""
        alone = (1, *shape[1:])
        return torch.cat([self.student.forward(name, e[None], weights, shape=alone, train=train).outputs for e in x])

    def _repeated(
        self,
        name: str,
        x: torch.Tensor,
        weights: list[torch.Tensor] | None,
        shape: Sequence[int],
        train: bool,
        times: int = 3,
    ) -> torch.Tensor:
        """The outputs of the student's model, which must be finite and the same each time."""
        calls = [self.student.forward(name, x, weights, shape=shape, train=train).outputs for _ in range(times)]
        if not calls[0].isfinite().all():
            raise wrong(self.causes.not_finite)
        if not all(nearly_equal(calls[0], other) for other in calls[1:]):
            raise wrong(self.causes.random)
        return calls[0]

    def _copy(self, variable: str, model: nn.Module, trained: Weights) -> bool:
        """Load the trained weights into ``model``. Returns whether it computes what the student's model computes."""
        if not trained.copy_into(model.eval()):
            return False
        x = self.inputs(self.generator, 64)
        outputs = self.student.forward(variable, x, shape=output_shape(model, x)).outputs
        for order in orders_by_shape(trained.parameters):
            Weights([trained.parameters[order.index(i)] for i in range(len(order))], 0).copy_into(model)
            with torch.no_grad():
                if self._agree(outputs, model(x)):
                    return True
        return False


def _shuffled(tensor: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The same numbers in random order."""
    return tensor.flatten()[torch.randperm(tensor.numel(), generator=generator)].reshape(tensor.shape)
