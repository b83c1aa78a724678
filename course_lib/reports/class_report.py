"""The class report: one self-contained page about a class in one assignment, for the instructor.

Plots are vector graphics inside the page; nothing is loaded from elsewhere. What students wrote (names, error
messages) is escaped by the template.
"""

import io
import os
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..authoring.result import NotebookResult, Verdict
from ..authoring.result_html import number, word
from ..messages import Text, language, say
from ..records.class_record import ALARMING, ClassRecord, Submission, column_title

__all__ = ["report_html"]

TEXTS = {
    "title": Text("Bilan de la classe", "Class report"),
    "made": Text("établi le", "made on"),
    "students": Text("rendus", "submissions"),
    "missing": Text("sans rendu", "nothing handed in"),
    "mean": Text("moyenne", "mean"),
    "median": Text("médiane", "median"),
    "waits": Text("réponses à noter à la main", "answers to grade by hand"),
    "eye": Text("rendus à regarder", "submissions to look at"),
    "marks": Text("Répartition des notes", "Distribution of marks"),
    "points": Text("points", "points"),
    "provisional": Text(
        "Notes provisoires : une réponse qui attend sa correction compte 0.",
        "Provisional marks: an answer that waits for a person counts 0.",
    ),
    "questions": Text("Réussite par question", "Success per question"),
    "share": Text(
        "part moyenne des points ; entre parenthèses : combien de rendus sont déjà notés",
        "mean share of the points; in brackets: how many submissions have their mark already",
    ),
    "tests": Text("Réussite par test caché", "Success per hidden test"),
    "question": Text("question", "question"),
    "test": Text("ce qui est vérifié", "what is checked"),
    "other": Text("autres verdicts", "other verdicts"),
    "failures": Text("Échecs les plus fréquents", "Commonest failures"),
    "explanation": Text("ce que l'étudiant lit", "what the student reads"),
    "who": Text("qui", "who"),
    "accuracies": Text("Exactitudes mesurées et seuils", "Accuracies measured, and thresholds"),
    "accuracy": Text("exactitude", "accuracy"),
    "threshold": Text("seuil", "threshold"),
    "early": Text(
        "Un modèle qui se comporte comme celui de la source reprend son entraînement. Un autre est entraîné, parfois "
        "seulement jusqu'au seuil ; s'il calcule autrement, un test peut le mesurer sur d'autres données, avec un "
        "autre seuil.",
        "A model that behaves like the source's takes over its training. Another one is trained, sometimes only up to "
        "the threshold; if it computes otherwise, a test may measure it on other data, with another threshold.",
    ),
    "look": Text("À regarder", "To look at"),
    "nothing": Text("rien", "nothing"),
    "repaired": Text("réparé avant la correction", "mended before grading"),
    "ungraded": Text("pas encore corrigé, ou par une autre version", "not graded yet, or by another version"),
    "unprotected": Text("corrigé sans bac à sable", "graded without a sandbox"),
    "all": Text("Tous les étudiants", "All students"),
    "sort": Text("un titre de colonne trie le tableau", "a column's title sorts the table"),
    "total": Text("total", "total"),
    "late": Text("retard", "late"),
    "grading": Text("La correction", "The grading"),
    "time": Text("temps de calcul", "computing"),
    "each": Text("par rendu, médiane", "each, median"),
    "longest": Text("le plus long", "the longest"),
    "sandbox": Text("bac à sable", "sandbox"),
    "none": Text("aucun", "none"),
}
"""What the page says, apart from the catalogue of ``course_lib.messages``."""

PHASES = {
    "cells": Text("cellules", "cells"),
    "training": Text("entraînement", "training"),
    "questions": Text("questions des tests cachés", "questions of hidden tests"),
    "kernel": Text("démarrage du noyau", "start of the kernel"),
}
"""What a submission's time goes into; see ``Session.seconds``."""

SHOWN = 40
"""Different failures that are listed, the commonest first."""

_BLUE, _DARK = "#4878a8", "#1d3a57"


@dataclass
class _Failure:
    """The same failure in the same grade cell."""

    grade_id: str
    verdict: Verdict
    hint: str
    rationales: dict[str, None] = field(default_factory=dict)
    """Of the hidden tests that it made fail, in their order."""
    students: dict[str, None] = field(default_factory=dict)


def report_html(record: ClassRecord, place: Path, feedback: Path | None = None) -> str:
    """The page, in the language in use.

    Args:
        record: the class.
        place: the file that it is written to: links are relative to it.
        feedback: nbgrader's folder of feedback pages, when there are any to link to.
    """
    environment = Environment(loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined)
    environment.filters["number"] = lambda points: number(round(points, 2))
    environment.globals |= {"column_title": column_title, "say": say, "word": word}
    scores = [one.score for one in record.submissions]
    return environment.get_template("report.html.jinja").render(
        t={name: str(text) for name, text in TEXTS.items()},
        language=language(),
        record=record,
        now=datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M"),
        mean=statistics.fmean(scores) if scores else 0.0,
        median=statistics.median(scores) if scores else 0.0,
        waits=sum(one.waits for one in record.submissions),
        look=[(one.name, reasons) for one in record.submissions if (reasons := _reasons(one))],
        histogram=_histogram(scores, record.out_of),
        questions=_questions(record),
        tests=_tests(record),
        failures=_failures(record),
        accuracies=_accuracies(record),
        grading=_grading(record),
        pages={one.student: _pages(one, record, place, feedback) for one in record.submissions},
    )


def _reasons(submission: Submission) -> list[str]:
    """Why a person should look at a submission."""
    reasons = [say("labelled", name=TEXTS["ungraded"], text=name) for name in submission.ungraded]
    for result in submission.results.values():
        if result.unreadable:
            reasons.append(say("labelled", name=say("verdict.unreadable"), text=result.unreadable))
        if result.protection == "none" and not result.unreadable:
            reasons.append(str(TEXTS["unprotected"]))
        reasons += [say("labelled", name=TEXTS["repaired"], text=repair) for repair in result.repairs]
    alarming = {v: n for v, n in submission.verdicts.items() if v in ALARMING and v is not Verdict.UNREADABLE}
    return reasons + [f"{count} × {say(f'verdict.{verdict}')}" for verdict, count in alarming.items()]


def _tests(record: ClassRecord) -> list[dict[str, Any]]:
    """Each hidden test, in the order of the notebook, with how often it passed and what else was found."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for submission in record.submissions:
        for grade_id, test in submission.tests():
            row = found.setdefault(
                (grade_id, test.name), {"grade_id": grade_id, "rationale": test.rationale, "verdicts": Counter()}
            )
            row["verdicts"][test.verdict] += 1
    for row in found.values():
        row["all"], row["passed"] = row["verdicts"].total(), row["verdicts"].pop(Verdict.PASSED, 0)
    return list(found.values())


def _failures(record: ClassRecord) -> list[_Failure]:
    """What went wrong, the commonest first; what nobody tried is no failure."""
    found: dict[tuple[object, ...], _Failure] = {}
    for submission in record.submissions:
        for grade_id, test in submission.tests():
            if test.verdict in (Verdict.PASSED, Verdict.NOT_ATTEMPTED, Verdict.UNREADABLE):
                continue
            failure = found.setdefault(
                (grade_id, test.verdict, test.detail), _Failure(grade_id, test.verdict, test.hint)
            )
            failure.rationales[str(test.rationale)] = None
            failure.students[submission.student] = None
    return sorted(found.values(), key=lambda failure: -len(failure.students))[:SHOWN]


def _grading(record: ClassRecord) -> dict[str, Any]:
    """Seconds and sandboxes."""
    results = [(one.student, result) for one in record.submissions for result in one.results.values()]
    seconds = [result.seconds for _, result in results]
    longest = max(results, key=lambda pair: pair[1].seconds, default=None)
    phases: Counter[str] = Counter()
    for _, result in results:
        phases.update(result.phases)  # seconds add up as counts do
    return {
        "total": sum(seconds),
        "median": statistics.median(seconds) if seconds else 0.0,
        "longest": None if longest is None else (longest[0], longest[1].seconds),
        "phases": [(str(PHASES[phase]), spent) for phase, spent in phases.most_common()],
        "sandboxes": Counter(_sandbox(result) for _, result in results if not result.unreadable),
    }


def _sandbox(result: NotebookResult) -> str:
    """What a student's code ran in, and whether models were to be trained on a graphics card."""
    name = str(TEXTS["none"]) if result.protection == "none" else result.protection
    return name if result.device == "cpu" else f"{name} + {result.device}"


def _pages(submission: Submission, record: ClassRecord, place: Path, feedback: Path | None) -> list[tuple[str, str]]:
    """The feedback pages of a student: the name of the notebook, and the page as seen from the report."""
    pages = sorted((feedback / submission.student / record.assignment).glob("*.html")) if feedback else []
    return [(page.stem, Path(os.path.relpath(page, place.resolve().parent)).as_posix()) for page in pages]


# -- figures ---------------------------------------------------------------------------------------------------------


def _svg(figure: Figure) -> str:
    """A figure as an element of the page, its words as text."""
    stream = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "report"}):
        figure.savefig(stream, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _axes(height: float) -> tuple[Figure, Any]:
    figure = Figure((7, height))
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _histogram(scores: list[float], out_of: float) -> str:
    figure, axes = _axes(2.4)
    bins = [i - 0.5 for i in range(int(max(out_of, *scores, 0)) + 3)]  # extra credit goes beyond
    counts, _, bars = axes.hist(scores, bins, color=_BLUE, rwidth=0.85)
    axes.bar_label(bars, labels=[str(int(count)) if count else "" for count in counts])
    axes.set_xlabel(str(TEXTS["points"]))
    axes.set_xticks(range(0, int(out_of) + 1, max(1, round(out_of / 20))))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    return _svg(figure)


def _questions(record: ClassRecord) -> str:
    """The mean share of the points of each question, as bars from top to bottom; marks that wait do not count."""
    shares = defaultdict(list)
    for submission in record.submissions:
        for mark in submission.marks:
            if mark.out_of and not mark.waits:
                shares[mark.grade_id].append(mark.points / mark.out_of)
    names = [name for name, points in record.cells if points]  # of nothing, there is no share
    figure, axes = _axes(0.5 + 0.26 * max(1, len(names)))
    values = [100 * statistics.fmean(shares[name] or [0]) for name in names]
    bars = axes.barh(names, values, color=_BLUE)
    everybody = len(record.submissions)
    labels = [
        f"{value:.0f} %" + (f"  ({len(shares[name])} / {everybody})" if len(shares[name]) < everybody else "")
        for name, value in zip(names, values, strict=True)
    ]
    axes.bar_label(bars, labels, padding=4)
    axes.set_xlim(0, 120)
    axes.set_xticks([])
    axes.invert_yaxis()
    axes.spines["bottom"].set_visible(False)
    return _svg(figure)


def _accuracies(record: ClassRecord) -> str | None:
    """Each accuracy as a point, beside the threshold that it had to reach; None when nothing was trained."""
    rows: dict[str, list[tuple[float, float, bool]]] = defaultdict(list)
    for submission in record.submissions:
        for grade_id, test in submission.tests():
            if test.accuracy is not None:
                rows[grade_id].append((*test.accuracy, test.verdict is Verdict.PASSED))
    if not rows:
        return None
    figure, axes = _axes(0.7 + 0.45 * len(rows))
    for y, measured in enumerate(rows.values()):
        n = len(measured)
        for passed, marker in ((True, "o"), (False, "X")):  # told apart without colour
            chosen = [(a, y + 0.5 * (i / max(1, n - 1) - 0.5)) for i, (a, _, p) in enumerate(measured) if p == passed]
            axes.plot([a for a, _ in chosen], [h for _, h in chosen], marker, color=_BLUE, alpha=0.7, mec=_DARK, ms=5)
        for threshold in {t for _, t, _ in measured}:
            axes.vlines(threshold, y - 0.4, y + 0.4, color=_DARK, linestyle="--")
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.set_xlabel(f"{TEXTS['accuracy']} (- - {TEXTS['threshold']})")
    return _svg(figure)
