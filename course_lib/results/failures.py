"""The ways in which a student's notebook can fail a hidden test."""

import errno
import re

from ..error_causes import MAX_TEXT
from ..messages import say
from .result import Verdict, printable

MAX_NOTE = 1000
"""Characters of a detail or a note that are kept. They may quote anything that a student's kernel sends."""

_NO_MEMORY = ("MemoryError", "_ArrayMemoryError", "OutOfMemoryError")  # of Python, of numpy, of torch on a GPU


class StudentFailure(Exception):
    """The student's notebook does not do what a hidden test asks. This is a verdict, not a fault of the grader.

    Args:
        verdict: what happened.
        detail: the student reads it, so it must not contain a value of the hidden test.
        note: only the instructor reads it.
    """

    def __init__(self, verdict: Verdict, detail: str = "", note: str = "") -> None:
        self.verdict = verdict
        self.detail, self.note = (text[:MAX_NOTE].encode("utf-8", "replace").decode() for text in (detail, note))
        super().__init__(f"{verdict}: {detail or self.note}")


class ParameterMismatch(StudentFailure):
    """The weights to inject do not fit: the model's parameters have different shapes."""


def verdict_on_raised_cell(kind: str, message: str) -> Verdict:
    """The outcome of a cell that raised an exception: ``DISK_FULL`` if it met this limit, otherwise ``ERROR``.

    A cell that runs out of memory is an ``ERROR``, too: what it defined before the error still exists, and it runs
    again in a new kernel.

    Args:
        kind: name of the exception's type.
        message: its text.
    """
    if kind in ("OSError", "SafetensorError", "RuntimeError") and any(
        f"rrno {number}]" in message or f"os error {number}" in message for number in (errno.ENOSPC, errno.EFBIG)
    ):
        return Verdict.DISK_FULL
    return Verdict.ERROR


def exception_verdict(kind: str, message: str) -> Verdict:
    """The verdict on a test that failed with an exception: as :func:`verdict_on_raised_cell`, or ``OUT_OF_MEMORY``."""
    # on the CPU, torch raises a RuntimeError when it gets no memory
    if kind in _NO_MEMORY or (kind == "RuntimeError" and "DefaultCPUAllocator" in message):
        return Verdict.OUT_OF_MEMORY
    return verdict_on_raised_cell(kind, message)


def error_text(kind: str, message: str) -> str:
    """An exception of a student's cell in one line.

    Args:
        kind: name of the exception's type.
        message: its text.
    """
    message = re.sub(r"\(\d+\.py, line ", "(line ", message[:MAX_TEXT])  # IPython's file name means nothing here
    return printable(f"{kind}: {message}"[:300] if message else kind[:300])


def missing_name(name: str) -> StudentFailure:
    """The failure of a notebook that does not define ``name``."""
    return StudentFailure(Verdict.ERROR, say("separator").join((f"NameError: {name}", say("cause.name"))))


class BrokenProbe(Exception):
    """A probe's own line raised an exception on a student's answer: the author has to look at it.

    Args:
        probe: the name of the probe.
        line: the line number in its file.
        kind: the type of the exception.
        message: its text.
    """

    def __init__(self, probe: str, line: object, kind: str, message: str) -> None:
        self.line = line if isinstance(line, int) else 0
        super().__init__(f"line {self.line}, in the probe {probe}: {kind}: {message}"[:MAX_NOTE])
