"""Compare samples from a student's function with the distribution that they should have.

The bounds hold for any number of draws and any distribution, so each comparison can state how often it fails a right
answer: the inequality of Dvoretzky, Kiefer and Wolfowitz with Massart's constant, and Hoeffding's.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ..messages import Text, say
from .expectations import wrong

FALSE_FAIL = 1e-6
"""How often a right answer may fail, at most."""


Distribution = Callable[[torch.Tensor], torch.Tensor] | Mapping[Any, float]
"""A cumulative distribution function, which turns float64 (N,) into probabilities (N,); or the probability of each
possible value."""


def must_be_distributed(
    draws: torch.Tensor,
    expected: Distribution,
    cause: Text | str = "",
    *,
    suspects: Mapping[Any, Distribution] | None = None,
    false_fail: float = FALSE_FAIL,
) -> None:
    """Check that independent samples come from a distribution.

    Args:
        draws: the samples, numbers of any shape, all from one distribution.
        expected: the distribution that they must have.
        cause: the likely cause, for the student, if no suspect fits.
        suspects: usual mistakes: a sentence that tells the student about a mistake, and the distribution that results
            from it.
        false_fail: how often right samples may fail, at most. With n samples, wrong ones fail if their distribution
            function is off by more than twice ``sqrt(log(2 / false_fail) / (2 n))``, which is 0.054 for 10,000
            samples.

    Raises:
        StudentFailure: if the samples do not fit.
    """
    values = draws.detach().double().flatten()
    if _fits(values, expected, false_fail):
        return
    found = (mistake for mistake, gives in (suspects or {}).items() if _fits(values, gives, false_fail))
    raise wrong(next(found, cause or say("cause.distribution")))


def _fits(values: torch.Tensor, expected: Distribution, false_fail: float) -> bool:
    if not len(values) or not bool(values.isfinite().all()):
        return False
    if not isinstance(expected, Mapping):
        return distance(values, expected) <= math.sqrt(math.log(2 / false_fail) / (2 * len(values)))
    if set(values.tolist()) - {float(key) for key in expected}:
        return False
    allowed = math.sqrt(math.log(2 * len(expected) / false_fail) / (2 * len(values)))
    off = (abs((values == float(key)).double().mean().item() - chance) for key, chance in expected.items())
    return max(off) <= allowed


def distance(values: torch.Tensor, cdf: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """The largest difference between the distribution function of ``values``, (N,), and ``cdf``."""
    ordered, n = values.sort().values, len(values)
    chances = cdf(ordered).double()
    steps = torch.arange(n + 1, dtype=torch.float64) / n
    return max((steps[1:] - chances).max().item(), (chances - steps[:-1]).max().item())
