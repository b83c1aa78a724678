"""`fit`: the losses before each step, and a trained model."""

import torch
from torch.nn import functional as F

from course_lib.authoring import StudentNotebook, expect, hidden_test, wrong

GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn((20, 3), generator=GENERATOR), torch.randn((20, 1), generator=GENERATOR), 8, 0.05
"""x, y, epochs, lr"""


class Momentum(torch.optim.SGD):
    """Stands in for the student's optimiser, so that a mistake there costs no points here."""

    def __init__(self, parameters, lr, momentum=0.9):
        super().__init__(parameters, lr=lr, momentum=momentum)


def new_model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))


def train(nb, *inputs):
    """The losses, and the parameters after the training."""
    nb.SGDMomentum = Momentum
    model = new_model()
    return nb.fit(model, *inputs), [parameter.detach() for parameter in model.parameters()]


def training(resets=True, momentum=0.9, reduction="mean", before=True):
    """A training, with its usual mistakes as options."""

    def losses_and_parameters(x, y, epochs, lr):
        model, losses = new_model(), []
        optimizer = Momentum(model.parameters(), lr, momentum)
        for _ in range(epochs):
            loss = F.mse_loss(model(x), y, reduction=reduction)
            if resets:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append((loss if before else F.mse_loss(model(x), y)).item())
        return losses, [parameter.detach() for parameter in model.parameters()]

    return losses_and_parameters


SUSPECTS = {
    "gradients of earlier epochs are added up: reset them before backward.": training(resets=False),
    "the squared errors are added up: take their mean.": training(reduction="sum"),
    "the losses are those after each step: compute them before it.": training(before=False),
    "the momentum is not the default of SGDMomentum.": training(momentum=0),
}


def part(i, functions=SUSPECTS):
    """The suspects, of whose two results only one counts."""
    return {cause: lambda *inputs, f=f: f(*inputs)[i] for cause, f in functions.items()}


@hidden_test(2, "fit returns the loss of each epoch as a float.")
def test_losses(student: StudentNotebook) -> None:
    losses, _ = student.run(train, *INPUTS)
    expect(losses, lambda *inputs: training()(*inputs)[0], *INPUTS, suspects=part(0))
    if any(isinstance(loss, torch.Tensor) for loss in losses):
        raise wrong("the losses are tensors: item() gives a float.")


@hidden_test(1, "fit trains every parameter of the model.")
def test_parameters(student: StudentNotebook) -> None:
    _, parameters = student.run(train, *INPUTS)
    expect(parameters, lambda *inputs: training()(*inputs)[1], *INPUTS, suspects=part(1))
