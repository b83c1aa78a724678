"""The result of grading a notebook: plain data that passes between processes and into files."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from ..messages import Text, say


def printable(text: str) -> str:
    """A string from a student in one line, without characters that would disturb a terminal, a table or a page."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


class Verdict(StrEnum):
    """The outcome of a hidden test. ``course_lib.messages`` has a word and a hint for each."""

    PASSED = "passed"
    PARTIAL = "partial"
    """A classic grade cell gave some of its points."""
    FAILED = "failed"
    NOT_ATTEMPTED = "not_attempted"
    ERROR = "error"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    TOO_MANY_PROCESSES = "too_many_processes"
    DISK_FULL = "disk_full"
    TOO_MUCH_OUTPUT = "too_much_output"
    INVALID_ANSWER = "invalid_answer"
    KERNEL_DIED = "kernel_died"
    UNREADABLE = "unreadable"
    TEST_CRASHED = "test_crashed"
    """The hidden test itself crashed on this answer: no points until its author has looked into it."""


@dataclass
class TestResult:
    """The outcome of one hidden test."""

    __test__ = False  # not a test class of pytest

    name: str
    points: float
    rationale: Text
    """What the test checks. The student reads it."""
    verdict: Verdict
    detail: str = ""
    """An error or a likely cause. The student reads it, so it never contains a value or line of the hidden test."""
    note: str = ""
    """For the instructor only."""
    asked: list[str] = field(default_factory=list)
    """The judge's questions and the notebook's answers, one line each, for the instructor only."""
    accuracy: tuple[float, float] | None = None
    """The measured and the required accuracy of a trained model."""
    partial: float = 0.0
    """The points earned, if the verdict is ``PARTIAL``."""

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "TestResult":
        """The inverse of ``dataclasses.asdict``."""
        changed: dict[str, Any] = {"rationale": Text(*content["rationale"]), "verdict": Verdict(content["verdict"])}
        if content.get("accuracy") is not None:
            measured, required = content["accuracy"]
            changed["accuracy"] = (float(measured), float(required))
        return cls(**content | changed)

    @property
    def score(self) -> float:
        """The earned points."""
        if self.verdict is Verdict.PARTIAL:
            return self.partial
        return self.points if self.verdict is Verdict.PASSED else 0.0

    @property
    def hint(self) -> str:
        """A sentence or two for the student."""
        if self.verdict is Verdict.TIMEOUT and self.detail:
            return say("hint.timeout_in", detail=self.detail)
        hint = say(f"hint.{self.verdict}", detail=self.detail or "?")
        if self.verdict is Verdict.FAILED and self.detail:
            hint = say("hint.cause", hint=hint, cause=self.detail)
        return hint


@dataclass
class CellResult:
    """The result of one grade cell that is graded automatically."""

    grade_id: str
    tests: list[TestResult]
    solution: str = ""
    """Id of the solution cell that it grades. In formgrader, comments belong to that cell."""
    classic: bool = False
    """Whether the cell is tested by its own code, in the student's process: such a verdict can be forged."""

    @property
    def points(self) -> float:
        """The points that can be earned."""
        return round(sum(test.points for test in self.tests), 6)

    @property
    def score(self) -> float:
        """The earned points, rounded so that 0.7, 0.2 and 0.1 add up to 1."""
        return round(sum(test.score for test in self.tests), 6)

    @property
    def lost(self) -> list[str]:
        """A line about each test that was not passed, for the instructor."""
        return [f"{t.name}: {t.verdict} {t.detail} {t.note}" for t in self.tests if t.verdict is not Verdict.PASSED]


@dataclass
class NotebookResult:
    """The result of one notebook of one submission."""

    cells: list[CellResult]
    repairs: list[str] = field(default_factory=list)
    """What was repaired before grading, in the student's language."""
    unreadable: str = ""
    """Why the file could not be read; empty if it could."""
    unanswered: list[str] = field(default_factory=list)
    """Manually graded cells that were handed in unchanged: they get 0 points, and nobody has to look at them."""
    protection: str = "none"
    """The sandbox that the student's code ran in."""
    device: str = "cpu"
    """Where models should be trained. Training that fails on a GPU is repeated on the CPU."""
    seconds: float = 0.0
    """How long the grading took."""
    phases: dict[str, float] = field(default_factory=dict)
    """Seconds spent in each phase, as in ``NotebookRunner.seconds``. The judge itself takes the rest."""

    @property
    def score(self) -> float:
        """The points earned automatically."""
        return sum(cell.score for cell in self.cells)

    @property
    def points(self) -> float:
        """The points that can be earned automatically."""
        return sum(cell.points for cell in self.cells)

    @property
    def marks(self) -> dict[str, float]:
        """The points earned, by grade cell."""
        return {cell.grade_id: cell.score for cell in self.cells}

    @property
    def tests(self) -> list[TestResult]:
        """All hidden tests."""
        return [test for cell in self.cells for test in cell.tests]

    @property
    def is_provisional(self) -> bool:
        """Whether a hidden test itself crashed."""
        return any(test.verdict is Verdict.TEST_CRASHED for test in self.tests)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "NotebookResult":
        """The inverse of ``dataclasses.asdict``."""
        cells = [
            CellResult(**cell | {"tests": [TestResult.from_dict(test) for test in cell["tests"]]})
            for cell in content["cells"]
        ]
        return cls(**content | {"cells": cells})

    def public(self) -> dict[str, Any]:
        """Everything that a student may see, as JSON. It is stored in the metadata of the autograded notebook."""
        content = asdict(self)
        for cell in content["cells"]:
            for test in cell["tests"]:
                del test["note"], test["asked"]
        return content
