"""Marks a hidden test."""

import pytest

from ..messages import Text

__all__ = ["hidden_test"]


def hidden_test(points: float, *, fr: str, en: str, accuracy: float | None = None) -> pytest.MarkDecorator:
    """Mark a hidden test.

    Args:
        points: what it is worth; the points of a grade cell's tests add up to those of the cell.
        fr: what it checks, said to the student in French: the property, never a value.
        en: the same in English.
        accuracy: the accuracy that a model trained before this grade cell must reach on the test set. While grading, a
            training may end there. For the report, the test also sets ``student.accuracy = (measured, required)``.

    Raises:
        ValueError: if the points are no number, or less than 0.
    """
    if isinstance(points, bool) or not isinstance(points, int | float) or points < 0:
        raise ValueError(f"hidden_test: points must be a number of at least 0, not {points!r}")
    return pytest.mark.hidden(points=points, rationale=Text(fr, en), accuracy=accuracy)
