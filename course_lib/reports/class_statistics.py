"""What the class report computes: means over what is graded, how hard and how telling each hidden test is."""

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..assignment.cells import cell_name
from ..records.class_record import ClassRecord, Submission, cell_title
from ..results.result import Verdict

MIN_SUBMISSIONS = 50
"""A discrimination is computed for at least this many submissions: its standard error is 0.14 for 50, 0.22 for 20."""

MIN_DISCRIMINATION = 0.1
"""A test with a smaller discrimination is flagged: it does not tell strong submissions from weak ones."""

MAX_LINES, MAX_LINE = 12, 100
"""Size of a snippet of a student's answer."""


@dataclass(frozen=True)
class GradedPart:
    """The part of an assignment that is graded for everybody. Free texts that wait for a person are not in it."""

    cells: frozenset[str]
    out_of: float
    scores: list[float]
    """The points of each submission, late penalties subtracted."""
    waiting: list[str]
    """The cells that wait for a person in at least one submission."""


def graded_part(record: ClassRecord) -> GradedPart:
    """What is graded for everybody."""
    marks = [mark for submission in record.submissions for mark in submission.marks]
    waiting = {mark.grade_id for mark in marks if mark.by_hand and mark.needs_grading}
    cells = frozenset(name for name, _ in record.cells if name not in waiting)
    scores = []
    for submission in record.submissions:
        points = sum(mark.points for mark in submission.marks if mark.grade_id in cells)
        scores.append(max(0.0, points - submission.penalty))
    out_of = sum(points for name, points in record.cells if name in cells)
    return GradedPart(cells, out_of, scores, [name for name, _ in record.cells if name in waiting])


@dataclass
class TestStatistics:
    """One hidden test in the whole class."""

    __test__ = False  # not a test class of pytest

    grade_id: str
    rationale: str
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    """How often each verdict was given, except passed."""
    passed: int = 0
    discrimination: float | None = None
    """Correlation of passing with the points for everything else, -1 to 1; None if there are too few submissions, or
    if everybody passed or nobody did."""

    @property
    def submissions(self) -> int:
        """The number of submissions with this test."""
        return self.passed + self.verdicts.total()

    @property
    def is_suspicious(self) -> bool:
        """Whether the test does not tell strong submissions from weak ones."""
        return self.discrimination is not None and self.discrimination < MIN_DISCRIMINATION


def statistics_of_tests(record: ClassRecord) -> list[TestStatistics]:
    """Each hidden test, in the order of the notebook."""
    found: dict[tuple[str, str], TestStatistics] = {}
    outcomes: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for submission in record.submissions:
        tests = list(submission.tests())
        total = sum(test.score for _, test in tests)
        for grade_id, test in tests:
            key = grade_id, test.name
            row = found.setdefault(key, TestStatistics(grade_id, str(test.rationale)))
            is_passed = test.verdict is Verdict.PASSED
            row.passed += is_passed
            if not is_passed:
                row.verdicts[test.verdict] += 1
            if test.verdict is not Verdict.UNREADABLE:
                outcomes.setdefault(key, []).append((float(is_passed), total - test.score))
    for key, row in found.items():
        row.discrimination = _correlation(outcomes.get(key, []))
    return list(found.values())


def _correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    if len(pairs) < MIN_SUBMISSIONS:
        return None
    passed, rest = zip(*pairs, strict=True)
    if len(set(passed)) < 2 or len(set(rest)) < 2:
        return None
    return statistics.correlation(passed, rest)


def snippet(submission: Submission, title: str) -> str:
    """The answer that a grade cell grades, without comments, shortened; empty if it cannot be read.

    Args:
        submission: of the student.
        title: the title of the grade cell in this class.
    """
    for notebook, result in submission.results.items():
        titles = {cell_title(notebook, cell.grade_id, submission.ambiguous): cell.solution for cell in result.cells}
        solution = titles.get(title, "")
        if not solution or submission.folder is None:
            continue
        try:
            cells = json.loads((submission.folder / f"{notebook}.ipynb").read_bytes())["cells"]
        except (OSError, ValueError, KeyError):
            continue
        source = next(("".join(cell["source"]) for cell in cells if cell_name(cell) == solution), "")
        lines = [line.rstrip()[:MAX_LINE] for line in source.splitlines() if _is_code(line)]
        return "\n".join([*lines[:MAX_LINES], *(["..."] if len(lines) > MAX_LINES else [])])
    return ""


def _is_code(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def is_blank(submission: Submission) -> bool:
    """Whether no task was attempted, in a file that can be read."""
    verdicts = [test.verdict for _, test in submission.tests()]
    return bool(verdicts) and all(verdict is Verdict.NOT_ATTEMPTED for verdict in verdicts)


def is_unreadable(submission: Submission) -> bool:
    """Whether one of its notebooks cannot be read."""
    return any(result.unreadable for result in submission.results.values())
