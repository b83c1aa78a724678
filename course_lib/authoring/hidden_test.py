"""The decorator that marks a function as a hidden test."""

import pytest

from ..messages import Text


def hidden_test(
    points: float, text: str = "", *, fr: str = "", en: str = "", accuracy: float | None = None
) -> pytest.MarkDecorator:
    """Mark a function as a hidden test.

    Args:
        points: what the test is worth. The points of all tests of a grade cell must add up to the points of the cell.
        text: what the test checks, in the language of the course. Students read it: describe the property, never give
            a value.
        fr: the sentence in French.
        en: the sentence in English. Give both for a bilingual course.
        accuracy: the test-set accuracy that the model trained just before this grade cell must reach. While grading,
            training may stop as soon as it is reached. For the class report, the test also has to set
            ``student.accuracy = (measured, required)``.

    Raises:
        ValueError: if ``points`` is not a number of at least 0, or if there is no sentence.
    """
    if isinstance(points, bool) or not isinstance(points, int | float) or points < 0:
        raise ValueError(f"hidden_test: points must be a number of at least 0, not {points!r}")
    rationale = Text(fr or text or en, en or text or fr)
    if not rationale.en:
        raise ValueError('hidden_test: say what the test checks: hidden_test(1, "softmax sums to 1 over the classes.")')
    return pytest.mark.hidden(points=points, rationale=rationale, accuracy=accuracy)
