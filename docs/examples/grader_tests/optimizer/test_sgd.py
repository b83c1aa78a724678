"""`SGDMomentum`: one velocity per parameter, kept from step to step, and gradients that can be reset."""

import torch

from course_lib.authoring import StudentNotebook, expect, hidden_test


def descend(nb, starts, gradients, lr, momentum):
    """Where the parameters are after one step for each list of gradients."""
    parameters = [torch.nn.Parameter(start) for start in starts]
    optimizer = nb.SGDMomentum(iter(parameters), lr, momentum)
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = gradient
        optimizer.step()
    return [parameter.detach() for parameter in parameters]


def descent(rule, velocity_of=lambda i: i):
    """A reference with another rule: it turns (velocity, gradient, lr, momentum) into (new velocity, change)."""

    def positions(starts, gradients, lr, momentum):
        values, velocities = [*starts], [torch.zeros(()) for _ in starts]
        for step in gradients:
            for i, gradient in enumerate(step):
                if gradient is not None:
                    j = velocity_of(i)
                    velocities[j], change = rule(velocities[j], gradient, lr, momentum)
                    values[i] = values[i] + change
        return values

    return positions


def momentum_rule(v, g, lr, m):
    return m * v + g, -lr * (m * v + g)


reference = descent(momentum_rule)

SUSPECTS = {
    "the parameters stay as they were: change them in place, and note that an iterator can be read only once.":
        descent(lambda v, g, lr, m: (v, 0)),
    "the velocity is not kept from step to step.": descent(lambda v, g, lr, m: (v, -lr * g)),
    "the step goes uphill: subtract lr * velocity.": descent(lambda v, g, lr, m: (m * v + g, lr * (m * v + g))),
    "the gradient counts as a whole, without the factor (1 - momentum).":
        descent(lambda v, g, lr, m: (m * v + (1 - m) * g, -lr * (m * v + (1 - m) * g))),
    "the step uses the velocity of the step before: update the velocity first.":
        descent(lambda v, g, lr, m: (m * v + g, -lr * v)),
    "all parameters share one velocity: each needs its own.": descent(momentum_rule, velocity_of=lambda i: 0),
}  # fmt: skip


@hidden_test(2, "SGDMomentum follows the velocity of each parameter.")
def test_velocity(student: StudentNotebook) -> None:
    generator = torch.Generator().manual_seed(0)
    starts = list(torch.randn((2, 3), generator=generator))
    gradients = [list(step) for step in torch.randn((4, 2, 3), generator=generator)]
    inputs = starts, gradients, 0.1, 0.8
    expect(student.run(descend, *inputs), reference, *inputs, suspects=SUSPECTS)


@hidden_test(0.5, "step leaves a parameter without a gradient as it is.")
def test_without_gradient(student: StudentNotebook) -> None:
    inputs = [torch.ones(2), torch.ones(3)], [[None, torch.ones(3)]], 0.1, 0.5
    expect(student.run(descend, *inputs), reference, *inputs, suspects=SUSPECTS)


def gradients_left(nb):
    """What zero_grad leaves of two gradients."""
    parameters = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    for parameter in parameters:
        parameter.grad = torch.ones(2)
    nb.SGDMomentum(parameters, 0.1).zero_grad()
    return [torch.zeros(2) if parameter.grad is None else parameter.grad for parameter in parameters]


@hidden_test(0.5, "zero_grad resets every gradient.")
def test_zero_grad(student: StudentNotebook) -> None:
    suspects = {"the gradients stay as they were.": lambda: [torch.ones(2)] * 2}
    expect(student.run(gradients_left), lambda: [torch.zeros(2)] * 2, suspects=suspects)
