"""The feedback page of a student: what counts first, then the notebook.

nbgrader's own page is replaced through its settings: ``c.GenerateFeedback.exporter_class`` names
:class:`FeedbackExporter`, which uses the template ``templates/kit_feedback``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from nbconvert.exporters import HTMLExporter
from nbconvert.exporters.exporter import ResourcesDict
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import ClearHiddenTests
from nbgrader.utils import is_grade, is_task
from traitlets.config import Config

from ..assignment.cells import cell_name, first_line, is_read_only
from ..judge.annotate import result_in
from ..messages import language, say, set_language
from ..records.class_record import column_title, student_label
from ..results.result import CellResult, NotebookResult, TestResult, Verdict, printable
from ..results.result_html import cell_html, format_points

TEMPLATES = Path(__file__).parent / "templates"

MAX_LINE = 2000
"""Length of a part of a traceback in which paths are looked for: the time grows with its square."""

FIRST = 3
"""The number of questions that the page names as those to correct first."""

_PLACE = re.compile(r"(?:/[^\s/:<>'\"]+)*/(?:site-packages|lib/python3\.\d+)/")
"""Where a grader's machine has its packages."""


class HideTests(Preprocessor):
    """For ``c.HTMLExporter.preprocessors``: removes the hidden lines of grade cells, except on formgrader's pages."""

    enabled = True

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Remove hidden lines."""
        if "submission_id" in resources:  # only formgrader's grading page has this key
            return nb, resources
        markers = Config(ClearHiddenTests=self.config.get("ClearHiddenTests", {}))  # without settings of this class
        clear = ClearHiddenTests(config=markers, enforce_metadata=False)
        for index, cell in enumerate(nb.cells):
            if is_grade(cell):
                nb.cells[index], resources = clear.preprocess_cell(cell, resources, index)
        return nb, resources


@dataclass
class Disagreement:
    """A text with which a student can ask for a second look at a test."""

    test: str
    text: str


@dataclass
class GradedCell:
    """One graded cell."""

    id: str
    title: str
    points: float
    score: float | None
    """None if a person has not graded it yet."""
    reasons: list[str] = field(default_factory=list)
    """Why it lost points."""
    result: str = ""
    """The verdicts of its hidden tests, as HTML; empty if a person grades it."""
    disagreements: list[Disagreement] = field(default_factory=list)
    blank: bool = False
    classic: bool = False
    """Whether the cell's own code decides."""

    @property
    def state(self) -> str:
        """``right``, ``partly``, ``wrong``, ``blank`` or ``waiting``."""
        if self.score is None:
            return "waiting"
        if self.score >= self.points:
            return "right"
        return "blank" if self.blank else "partly" if self.score else "wrong"

    @property
    def symbol(self) -> str:
        """A symbol for :attr:`state`, always shown next to the word or the points."""
        return {"right": "✓", "waiting": "…", "blank": "…"}.get(self.state, "✗")

    @property
    def word(self) -> str:
        """A word for :attr:`state`."""
        return say(f"page.{self.state}")

    @property
    def mark(self) -> str:
        """The points, such as ``0.5 / 2``."""
        earned = "-" if self.score is None else format_points(round(self.score, 2))
        return f"{earned} / {format_points(self.points)}"

    @property
    def lost(self) -> str:
        """The points lost, with a minus sign."""
        return f"\N{MINUS SIGN}{format_points(round(self.points - (self.score or 0), 2))}"


@dataclass
class Page:
    """Everything above the notebook."""

    notebook: str
    student: str
    questions: list[GradedCell]
    penalty: float = 0.0
    repairs: list[str] = field(default_factory=list)

    @property
    def language(self) -> str:
        """The language of the page."""
        return language()

    @property
    def words(self) -> dict[str, str]:
        """The fixed texts of the page."""
        names = (
            "first", "questions", "question", "points", "reason", "details", "own_check", "comment", "disagree",
            "disagree_how",
        )  # fmt: skip
        return {name: say(f"page.{name}") for name in names}

    @cached_property
    def by_id(self) -> dict[str, GradedCell]:
        """The questions by the id of their grade cell."""
        return {question.id: question for question in self.questions}

    def of(self, cell: NotebookNode) -> GradedCell | None:
        """The question that a cell grades, if it is a grade cell."""
        return self.by_id.get(cell_name(cell))

    @property
    def total(self) -> str:
        """The points so far."""
        graded = [question for question in self.questions if question.score is not None]
        score = max(0.0, sum(question.score or 0.0 for question in graded) - self.penalty)
        out_of = format_points(sum(question.points for question in graded))
        return say("page.total", score=format_points(round(score, 2)), points=out_of)

    @property
    def notes(self) -> list[str]:
        """What is shown below the total: points that wait for a person, the penalty, repairs."""
        waiting = [question for question in self.questions if question.score is None]
        notes = [say("page.waiting_for", points=format_points(sum(q.points for q in waiting)))] if waiting else []
        if self.penalty:
            notes.append(say("page.penalty", points=format_points(round(self.penalty, 2))))
        return [*notes, *self.repairs]

    @property
    def first(self) -> list[GradedCell]:
        """The questions that cost the most points."""
        lost = [question for question in self.questions if question.reasons and question.score is not None]
        return sorted(lost, key=lambda question: (question.score or 0) - question.points)[:FIRST]


class FeedbackExporter(HTMLExporter):
    """For ``c.GenerateFeedback.exporter_class``: writes the feedback page."""

    @property
    def default_config(self) -> Config:
        """The template of this page, also if nbgrader sets its own for all HTML pages."""
        own = {"template_name": "kit_feedback", "extra_template_basedirs": [str(TEMPLATES)]}
        config = Config(FeedbackExporter=own)
        config.merge(super().default_config)
        return config

    def _preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        nb, resources = super()._preprocess(nb, resources)
        set_language(self.config.get("JudgedAutograde", {}).get("language", language()))
        names = resources["nbgrader"]
        resources["feedback"] = page_of(nb, names)
        for cell in nb.cells:
            question = resources["feedback"].of(cell)
            tidy(cell, question is not None and bool(question.result))
        return nb, resources


def page_of(nb: NotebookNode, names: dict[str, Any]) -> Page:
    """The page of one student's notebook.

    Args:
        nb: the autograded notebook, with the scores that nbgrader's ``GetGrades`` wrote into its metadata.
        names: what nbgrader knows about it: ``student``, ``assignment``, ``notebook``, ``db_url``, ``late_penalty``.
    """
    _, result = result_in(nb.metadata) or ("", NotebookResult([]))  # none if another program has graded it
    automatic = {cell.grade_id: cell for cell in result.cells}
    with Gradebook(names["db_url"]) as gradebook:
        submission = gradebook.find_submission_notebook(names["notebook"], names["assignment"], names["student"])
        waiting = {grade.name for grade in submission.grades if grade.needs_manual_grade}
        person = submission.student
        label = student_label(person.id, person.first_name, person.last_name)
    questions = []
    for cell in nb.cells:
        if not (is_grade(cell) or is_task(cell)):
            continue
        name, meta = cell_name(cell), cell.metadata.nbgrader
        graded = automatic.get(name)
        score = None if name in waiting else float(meta.get("score") or 0)
        question = GradedCell(
            name,
            column_title(name).replace("_", " "),
            float(meta.get("points") or 0),
            score,
            blank=name in result.unanswered,
        )
        if graded is not None:
            question.result, question.classic = cell_html(graded), graded.classic
            question.reasons = [*_reasons(graded)] if question.state != "right" else []
            question.disagreements = [*_disagreements(graded, names)]
            question.blank = all(test.verdict is Verdict.NOT_ATTEMPTED for test in graded.tests)
        questions.append(question)
    repairs = [say("feedback.repaired", what=say("separator").join(result.repairs))] if result.repairs else []
    repairs += [say("hint.unreadable", detail=result.unreadable)] if result.unreadable else []
    return Page(names["notebook"], label, questions, names.get("late_penalty") or 0.0, repairs)


def _lost(cell: CellResult) -> list[TestResult]:
    return [test for test in cell.tests if test.score < test.points]


def _reasons(cell: CellResult) -> Iterator[str]:
    """What does not hold, with the likely cause if there is one."""
    for test in _lost(cell):
        is_cause = test.verdict is Verdict.FAILED and test.detail
        why = say("labelled", name=say("check.cause"), text=test.detail) if is_cause else test.hint
        yield printable(f"{test.rationale} {why}")


def _disagreements(cell: CellResult, names: dict[str, Any]) -> Iterator[Disagreement]:
    """A text for each test that lost points. It has what ``course appeal`` needs."""
    for test in _lost(cell):
        if test.verdict is Verdict.NOT_ATTEMPTED:
            continue
        text = say(
            "page.disagree_text",
            student=names["student"],
            assignment=names["assignment"],
            notebook=names["notebook"],
            cell=cell.grade_id,
            test=test.name.partition("[")[0],  # pytest's parameters are inputs of the hidden test
            rationale=test.rationale,
            verdict=say(f"verdict.{test.verdict}"),
            hint=test.hint,
        )
        yield Disagreement(str(test.rationale), text)


def tidy(cell: NotebookNode, has_result: bool) -> None:
    """Take the result out of the outputs, fold given cells, and remove the grader's paths from tracebacks."""
    outputs = cell.get("outputs", [])
    if has_result and outputs:
        cell.outputs = outputs[1:]  # the page shows it above the cell
    elif cell.cell_type == "code" and is_read_only(cell):
        cell.metadata["given"] = first_line(cell)[:100]
    for output in outputs:
        if output.output_type == "error":
            output.traceback = [_PLACE.sub("", part) if len(part) < MAX_LINE else part for part in output.traceback]
