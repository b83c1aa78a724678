"""How a student's notebook can fail a hidden test."""

import errno

from ..messages import say
from .result import Verdict

__all__ = ["OtherParameters", "StudentFailure", "meaning", "missing_name", "raised_verdict"]


NOTE = 1000
"""Letters of a note that are kept: it may quote what a student's kernel says."""


class StudentFailure(Exception):
    """The student's notebook does not do what a hidden test asks: a verdict, never a fault of the grader.

    Args:
        verdict: what happened.
        detail: said to the student, so never a value of the hidden test.
        note: for the instructor.
    """

    def __init__(self, verdict: Verdict, detail: str = "", note: str = "") -> None:
        self.verdict = verdict
        self.detail = detail
        self.note = note[:NOTE]
        super().__init__(f"{verdict}: {detail or self.note}")


class OtherParameters(StudentFailure):
    """The parameters of a model of the notebook have other shapes than the weights to inject."""


def meaning(kind: str, message: str) -> Verdict:
    """What an exception of the student's code says of a limit: where a limit is met, Python raises."""
    if kind in ("OSError", "SafetensorError", "RuntimeError") and any(
        f"rrno {number}]" in message or f"os error {number}" in message for number in (errno.ENOSPC, errno.EFBIG)
    ):
        return Verdict.DISK_FULL
    return Verdict.ERROR


def raised_verdict(kind: str, message: str) -> Verdict:
    """The verdict on an exception of the student's code; torch says by a RuntimeError that it gets no memory.

    For a cell, :func:`meaning` is enough: one that raised has left what it defined, and runs again in a new kernel.
    """
    none_left = ("MemoryError", "_ArrayMemoryError", "OutOfMemoryError")  # Python's, numpy's, that of a graphics card
    if kind in none_left or (kind == "RuntimeError" and "DefaultCPUAllocator" in message):
        return Verdict.OUT_OF_MEMORY
    return meaning(kind, message)


def missing_name(name: str) -> StudentFailure:
    """The notebook does not define ``name``."""
    return StudentFailure(Verdict.ERROR, say("separator").join((f"NameError: {name}", say("cause.name"))))
