"""The decorator that marks a function as a hidden test."""

import pytest

from ..messages import Text


def hidden_test(points: float, *, fr: str, en: str, accuracy: float | None = None) -> pytest.MarkDecorator:
    """Mark a function as a hidden test.

    Args:
        points: what the test is worth. The points of all tests of a grade cell must add up to the points of the cell.
        fr: what the test checks, in French. Students read it: describe the property, never give a value.
        en: the same in English.
        accuracy: the test-set accuracy that the model trained just before this grade cell must reach. While grading,
            the training may stop as soon as it is reached. For the class report, the test also has to set
            ``student.accuracy = (measured, required)``.

    Raises:
        ValueError: if ``points`` is not a number of at least 0.
    """
    if isinstance(points, bool) or not isinstance(points, int | float) or points < 0:
        raise ValueError(f"hidden_test: points must be a number of at least 0, not {points!r}")
    return pytest.mark.hidden(points=points, rationale=Text(fr, en), accuracy=accuracy)
