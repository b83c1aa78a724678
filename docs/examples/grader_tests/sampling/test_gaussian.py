"""`sample_gaussian`: the right distribution, and gradients that reach its parameters."""

import torch

from course_lib.authoring import StudentNotebook, expect, hidden_test, wrong

MU, LOG_VAR = torch.tensor([-2.0, 0.0, 5.0]), torch.tensor([-2.0, 0.5, 1.5])


def normal(mean, std):
    """The distribution function of a normal distribution."""
    return lambda z: torch.special.ndtr((z - mean) / std)


def samples(student):
    """3000 samples, one in each row."""
    draws = student.draws("sample_gaussian", 3000, MU, LOG_VAR)
    if draws.shape != (3000, 3):
        raise wrong("the result does not have the shape of mu.")
    return draws


@hidden_test(1, "sample_gaussian draws from the normal distribution with this mean and this variance.")
def test_distribution(student: StudentNotebook, must_fit) -> None:
    for z, mean, log_var in zip(samples(student).T, MU, LOG_VAR, strict=True):
        suspects = {
            "exp(log_var) is the variance: take its square root.": normal(mean, log_var.exp()),
            "log_var is a logarithm: the exponential is missing.": normal(mean, log_var.abs()),
            "the variance is not used.": normal(mean, 1),
            "the mean is not used.": normal(0, (log_var / 2).exp()),
        }
        must_fit(z, normal(mean, (log_var / 2).exp()), suspects)


@hidden_test(1, "Each element is drawn on its own.")
def test_independence(student: StudentNotebook) -> None:
    if not (samples(student).T.corrcoef() - torch.eye(3)).abs().max() < 0.2:
        raise wrong("several elements share one random number: draw one for each.")


def gradients(nb, mu, log_var):
    """A sample, and the gradients of its sum; None if there are none."""
    mu.requires_grad_()
    log_var.requires_grad_()
    z = nb.sample_gaussian(mu, log_var)
    if not (isinstance(z, torch.Tensor) and z.requires_grad):
        return None
    z.sum().backward()
    return z.detach(), mu.grad, log_var.grad


@hidden_test(1, "The gradients reach mu and log_var.")
def test_gradients(student: StudentNotebook) -> None:
    answer = student.run(gradients, MU, LOG_VAR)
    if answer is None or any(part is None for part in answer):
        raise wrong("the sample is cut off from mu or log_var: compute it from them and from random numbers.")
    suspects = {"exp(log_var) is the variance: take its square root.": lambda z: (z, torch.ones(3), z - MU)}
    expect(answer, lambda z: (z, torch.ones(3), (z - MU) / 2), answer[0], suspects=suspects)
