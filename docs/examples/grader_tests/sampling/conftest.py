"""What the hidden tests of `sampling` share."""

import pytest

from course_lib.authoring import StudentFailure, must_be_distributed, wrong


def fits(draws, distribution):
    try:
        must_be_distributed(draws, distribution, "")
    except StudentFailure:
        return False
    return True


@pytest.fixture
def must_fit():
    """Compares draws with a distribution. If one of the suspects fits instead, its sentence is the cause."""

    def compare(draws, expected, suspects):
        if not fits(draws, expected):
            causes = (cause for cause, mistake in suspects.items() if fits(draws, mistake))
            raise wrong(next(causes, "the draws do not have the right distribution."))

    return compare
