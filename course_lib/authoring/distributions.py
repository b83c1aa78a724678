"""Compare draws of a student's function with the distribution that they should have.

The bounds hold for any number of draws and any distribution, so each comparison can state how often it fails a right
answer: the inequality of Dvoretzky, Kiefer and Wolfowitz with Massart's constant, and Hoeffding's.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ..messages import Text
from .expectations import wrong

FALSE_FAIL = 1e-6
"""How often a right answer may fail, at most."""


def must_be_distributed(
    draws: torch.Tensor,
    expected: Callable[[torch.Tensor], torch.Tensor] | Mapping[Any, float],
    cause: Text | str,
    false_fail: float = FALSE_FAIL,
) -> None:
    """Check that independent ``draws`` come from a distribution.

    Args:
        draws: numbers of any shape, all draws of one distribution.
        expected: the distribution: a cumulative distribution function, which turns float64 (N,) into probabilities
            (N,); or the probability of each value that can come.
        cause: the likely cause, for the student.
        false_fail: how often right draws may fail, at most. With n draws, wrong ones are noticed if their
            distribution function is off by more than twice ``sqrt(log(2 / false_fail) / (2 n))``, which is 0.054 for
            10,000 draws.

    Raises:
        StudentFailure: if the draws do not fit.
    """
    values = draws.detach().double().flatten()
    if not len(values) or not bool(values.isfinite().all()):
        raise wrong(cause)
    if isinstance(expected, Mapping):
        outside = set(values.tolist()) - {float(key) for key in expected}
        allowed = math.sqrt(math.log(2 * len(expected) / false_fail) / (2 * len(values)))
        off = max(abs((values == float(key)).double().mean().item() - chance) for key, chance in expected.items())
        fits = not outside and off <= allowed
    else:
        fits = distance(values, expected) <= math.sqrt(math.log(2 / false_fail) / (2 * len(values)))
    if not fits:
        raise wrong(cause)


def distance(values: torch.Tensor, cdf: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """The largest difference between the distribution function of ``values``, (N,), and ``cdf``."""
    ordered, n = values.sort().values, len(values)
    chances = cdf(ordered).double()
    steps = torch.arange(n + 1, dtype=torch.float64) / n
    return max((steps[1:] - chances).max().item(), (chances - steps[:-1]).max().item())
