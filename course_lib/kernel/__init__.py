"""What runs in the student's kernel while grading: it answers the judge's questions with raw tensors.

Nothing here knows a hidden test, an expected value, a reference or a score. A student's code shares its process and
may patch all of it; it can only change what is answered, and the judge believes no answer, it measures.
"""

__all__ = ["FIGURES", "REQUESTS"]

FIGURES = "figures"
"""Folder of finished pictures, in the cache folder of judge and kernel; see :mod:`course_lib.kernel.figures`."""

REQUESTS = 50
"""Requests for a finished training that are answered to one cell."""
