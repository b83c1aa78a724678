"""The code that runs in a student's kernel while it is graded: it answers the judge's questions with raw tensors.

This package knows no hidden test, no expected value, no reference and no score. The student's code runs in the same
process and may patch all of it. That can only change the answers, and the judge trusts no answer: it checks the values.
"""

__all__ = ["FIGURES", "MAX_TRAINING_REQUESTS"]

FIGURES = "figures"
"""Name of the folder of finished pictures in the cache folder; see :mod:`course_lib.kernel.figures`."""

MAX_TRAINING_REQUESTS = 50
"""The number of requests for finished training runs that the judge answers per cell."""
