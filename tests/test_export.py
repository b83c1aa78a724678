"""The class report, Moodle's worksheet and the details are safe, complete, and in both languages."""

import csv
import errno
import io
import json
import logging
import re
import resource
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nbgrader.api import MissingEntry
from nbgrader.apps import ExportApp
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import ExportPlugin
from traitlets.config import Config

from course_lib.messages import Text, set_language
from course_lib.nbgrader_plugins import exporters
from course_lib.nbgrader_plugins.exporters import Details, DetailsJson, Moodle, Report
from course_lib.nbgrader_plugins.moodle_download import participant
from course_lib.records.class_record import NEEDS_ATTENTION, ClassRecord, Mark, Submission
from course_lib.reports.class_figures import accuracy_figure, mark_histogram, success_by_cell_figure, svg
from course_lib.reports.class_report import common_failures, misconceptions, report_html
from course_lib.reports.class_statistics import statistics_of_tests
from course_lib.results.result import CellResult, NotebookResult, TestResult, Verdict

FORMULA = '=HYPERLINK("evil")<script>alert(1)</script>'


@pytest.fixture
def record() -> ClassRecord:
    """Two students with the same results: an error, a timeout, a late penalty. The first has a formula as a name."""
    tests = [
        TestResult("test_a", 1, Text("Un.", "One."), Verdict.PASSED, accuracy=(0.98, 0.97)),
        TestResult("test_b", 1, Text("Deux.", "Two."), Verdict.ERROR, detail=FORMULA),
        TestResult("test_c", 1, Text("Trois.", "Three."), Verdict.TIMEOUT),
    ]
    result = NotebookResult(
        [CellResult("test_x", tests)], ["une réparation"], protection="bubblewrap", device="cuda", seconds=2.0
    )
    first = Submission(
        "HYPERLINK_evil_script_alert_1_script_1234567", "", FORMULA, "a@b.org", None, 60, 0.5,
        [Mark("test_x", 1, 3, False, False, "=1 < 2"), Mark("text", 0, 1, True, True, "")], {"n": result}, ["m"],
    )  # fmt: skip
    return ClassRecord(
        "course",
        "n",
        [("test_x", 3), ("text", 1)],
        [first, replace(first, student="bo", last_name="")],
        ["zoé"],
        ["lea"],
    )


def rows(content: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content)))


def test_no_text_of_a_student_is_a_formula_or_a_script(record: ClassRecord) -> None:
    for exporter in (Moodle(), Details()):
        for row in rows(exporter.content(record, Path("x.csv"))):
            assert not [value for value in row.values() if value[:1] in "=+-@" and value not in ("", "-")]
    page = report_html(record, Path("x.html"))
    assert "&lt;script&gt;alert" in page
    assert "<script>alert" not in page
    for row in rows(Moodle().content(record, Path("x.csv"))):
        assert "&lt;script&gt;" in row["Feedback comments"]
        assert "<script>" not in row["Feedback comments"]


@pytest.mark.parametrize("first", "=+-@\t\r")
def test_each_beginning_of_a_formula_is_escaped(record: ClassRecord, first: str) -> None:
    one = replace(record.submissions[0], email=f"{first}1")
    [row] = rows(Moodle().content(replace(record, submissions=[one]), Path("x.csv")))
    assert row["Email address"] == f"'{first}1"


# -- the class report --------------------------------------------------------------------------------------------------


def test_the_report_names_the_sandboxes(record: ClassRecord) -> None:
    first, second = record.submissions
    not_read = CellResult("test_x", [TestResult("test_a", 1, Text("Un.", "One."), Verdict.UNREADABLE)])
    unreadable = replace(second, results={"n": NotebookResult([not_read], unreadable="no JSON")})
    unprotected = replace(second, student="eve", results={"n": NotebookResult([])})
    page = report_html(replace(record, submissions=[first, unreadable, unprotected]), Path("x.html"))
    assert "bubblewrap + cuda (1), aucun (1)</li>" in page
    look = page[page.index("<h2>À regarder") : page.index("<h2>Tous les étudiants")]
    assert look.count("corrigé sans bac à sable") == 1, "no code of an unreadable notebook ran"
    assert "illisible : no JSON" in look
    assert "1 illisible" not in look, "it is there once, with the reason"


@pytest.fixture
def class_of_three(record: ClassRecord) -> ClassRecord:
    """Three students with different verdicts in three tests. The third also fails in another cell."""
    details = {"test_a": "rare", "test_b": "common", "test_c": "other"}
    verdicts_by_student = {
        "a": {"test_a": Verdict.FAILED, "test_b": Verdict.FAILED, "test_c": Verdict.NOT_ATTEMPTED},
        "b": {"test_a": Verdict.PASSED, "test_b": Verdict.FAILED, "test_c": Verdict.UNREADABLE},
        "c": {"test_a": Verdict.PASSED, "test_b": Verdict.ERROR, "test_c": Verdict.FAILED},
    }
    submissions = []
    for student, verdicts in verdicts_by_student.items():
        tests = [TestResult(n, 1, Text(f"De {n}", n), v, detail=details[n]) for n, v in verdicts.items()]
        cells = [CellResult("test_x", tests)]
        if student == "c":
            cells.append(CellResult("test_y", [replace(tests[1], verdict=Verdict.FAILED)]))
        results = {"n": NotebookResult(cells, protection="bubblewrap")}
        submissions.append(replace(record.submissions[1], student=student, results=results, ungraded=[]))
    return replace(record, submissions=submissions)


def test_the_report_lists_frequent_failures_first(class_of_three: ClassRecord) -> None:
    """The same failure in another cell is another failure. Unread and unattempted tests are none."""
    failures = common_failures(class_of_three)
    assert [(failure.hint, [*failure.students]) for failure in failures] == [
        (TestResult("", 1, Text("", ""), verdict, detail=detail).hint, students)
        for verdict, detail, students in (
            (Verdict.FAILED, "common", ["a", "b"]), (Verdict.FAILED, "rare", ["a"]), (Verdict.ERROR, "common", ["c"]),
            (Verdict.FAILED, "other", ["c"]), (Verdict.FAILED, "common", ["c"]),
        )
    ]  # fmt: skip
    assert common_failures(class_of_three, limit=2) == failures[:2]


def test_the_report_counts_passed_tests(class_of_three: ClassRecord) -> None:
    page = report_html(class_of_three, Path("x.html"))
    assert '<td>De test_a</td><td class="n">2 / 3</td>\n<td class="n">–</td>\n<td>1 échoué</td>' in page
    assert "1 échoué<br>" not in page, "nobody has to look at an ordinary failure"


def test_the_report_sums_up_marks_and_time(record: ClassRecord) -> None:
    second = record.submissions[1]
    submissions = []
    for student, points, seconds in (("a", 1, 4.0), ("b", 1, 9.0), ("c", 3, 8.0)):
        marks = [Mark("test_x", points, 3, False, False, ""), *[Mark("text", 0, 1, True, True, "")] * 2]
        result = NotebookResult([], seconds=seconds, phases={"training": 1.0, "cells": seconds - 1})
        submissions.append(replace(second, student=student, marks=marks, penalty=0.0, results={"n": result}))
    page = report_html(replace(record, submissions=submissions), Path("x.html"))
    for shown in ("<b>1.67 / 3</b>moyenne de ce qui est noté", "<b>1</b>médiane", "<b>6</b>réponses à noter"):
        assert shown in page
    assert "temps de calcul : 21 s · par rendu, médiane : 8 s · le plus long : 9 s (b)" in page
    assert "cellules 18 s, entraînement 3 s" in page
    assert "Exactitudes" not in page, "nothing was trained"


def test_column_titles_have_no_test_prefix(record: ClassRecord) -> None:
    page = report_html(replace(record, cells=[("test_x", 3), ("contest_y", 1)]), Path("x.html"))
    assert re.findall(r"<button title=.*?>(.*?)</button>", page) == ["x", "contest_y"]


def test_the_report_contains_its_figures(record: ClassRecord) -> None:
    page = report_html(record, Path("x"))
    assert page.count("<svg") == 3
    assert "<?xml" not in page
    assert svg(success_by_cell_figure(record)) == svg(success_by_cell_figure(record)), (
        "the same class gives the same page"
    )


def test_the_histogram_shows_students_above_the_maximum() -> None:
    bars = mark_histogram([0.0, 8.5], 4).axes[0].patches
    assert sum(bar.get_height() for bar in bars) == 2


def test_figures_go_from_top_to_bottom(record: ClassRecord) -> None:
    for figure in (success_by_cell_figure(record), accuracy_figure(record)):
        assert figure is not None
        assert figure.axes[0].yaxis_inverted()


def test_every_threshold_is_drawn(record: ClassRecord) -> None:
    tests = [TestResult(f"test_{n}", 1, Text("", ""), Verdict.PASSED, accuracy=(0.99, n / 100)) for n in (96, 97)]
    one = replace(record.submissions[0], results={"n": NotebookResult([CellResult("test_x", tests)])})
    figure = accuracy_figure(replace(record, submissions=[one]))
    assert figure is not None
    assert {lines.get_segments()[0][0][0] for lines in figure.axes[0].collections} == {0.96, 0.97}


def test_the_report_links_every_feedback_page(record: ClassRecord, tmp_path: Path) -> None:
    for student, names in ((record.submissions[0].student, ["é 1", "2"]), ("bo", ["1"])):
        folder = tmp_path / "feedback" / student / record.assignment
        folder.mkdir(parents=True)
        for name in names:
            (folder / f"{name}.html").touch()
    page = report_html(record, tmp_path / "report.html", tmp_path / "feedback")
    first = f"feedback/{record.submissions[0].student}/{record.assignment}"
    assert f'<a href="{first}/%C3%A9%201.html">é 1</a>' in page
    assert f'<a href="{first}/2.html">2</a>' in page
    assert f'<a href="feedback/bo/{record.assignment}/1.html">{record.submissions[1].name}</a>' in page


def test_the_report_names_what_needs_a_person(record: ClassRecord) -> None:
    set_language("en")
    page = report_html(record, Path("x.html"))
    assert "1 timeout" in page
    assert "Repaired before grading: nothing to do (2)" in page
    assert "bo: une réparation" in page
    assert "Not counted yet, because a person has not graded them" in page
    assert "not graded yet, or graded by another version: m" in page
    assert 'lang="en"' in page


def test_every_unusual_verdict_has_its_urgency() -> None:
    usual = {Verdict.PASSED, Verdict.PARTIAL, Verdict.FAILED, Verdict.NOT_ATTEMPTED, Verdict.ERROR}
    assert {*NEEDS_ATTENTION} == {*Verdict} - usual


def test_the_most_urgent_submission_is_first(record: ClassRecord) -> None:
    """Somebody without a mark needs a person before somebody whose code took too long."""
    first, second = record.submissions
    late = replace(first, student="aa", last_name="", ungraded=[])
    page = report_html(replace(record, submissions=[late, second]), Path("x.html"))
    look = page[page.index("<h2>À regarder") :]
    assert look.index(">bo<") < look.index(">aa<")


def test_a_test_that_does_not_discriminate_is_flagged(record: ClassRecord) -> None:
    """In this class of 80, strong submissions pass the good test and weak ones pass the bad one."""
    submissions = []
    for i in range(80):
        strong = i % 4 > 0
        verdicts = {"good": strong, "too": strong, "rest": strong or i % 3 == 0, "bad": not strong, "all": True}
        tests = [
            TestResult(name, 1, Text(name, name), Verdict.PASSED if passed else Verdict.FAILED)
            for name, passed in verdicts.items()
        ]
        results = {"n": NotebookResult([CellResult("test_x", tests)])}
        submissions.append(replace(record.submissions[1], student=f"s{i}", results=results))
    found = {row.rationale: row for row in statistics_of_tests(replace(record, submissions=submissions))}
    assert {name for name, row in found.items() if row.is_suspicious} == {"bad"}
    assert found["good"].discrimination is not None
    assert found["all"].discrimination is None, "everybody passes it"
    few = statistics_of_tests(replace(record, submissions=submissions[:49]))
    assert {row.discrimination for row in few} == {None}


def test_what_to_teach_again_has_an_anonymous_answer(class_of_three: ClassRecord, tmp_path: Path) -> None:
    code = "# by Bo\ndef f(x):\n    return 2 * x"
    meta = {"nbgrader": {"grade_id": "f", "solution": True}}
    cells = [{"cell_type": "code", "source": code.splitlines(keepends=True), "metadata": meta}]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    submissions = [replace(one, folder=tmp_path) for one in class_of_three.submissions]
    for one in submissions:
        for cell in one.results["n"].cells:
            cell.solution = "f"
    record = replace(class_of_three, submissions=submissions)
    [found] = misconceptions(record, common_failures(record))
    assert (found.cause, found.students) == ("common", 2)
    assert found.snippet == "def f(x):\n    return 2 * x"
    assert found.snippet in unescape(report_html(record, Path("x.html")))


def test_the_report_of_an_empty_class_is_a_page(record: ClassRecord) -> None:
    assert "zoé" in report_html(replace(record, submissions=[]), Path("x.html"))


def test_the_report_trusts_the_verdict_if_less_is_better(record: ClassRecord) -> None:
    """A perplexity of 1.2 passes a threshold of 1.5."""
    first, _ = record.submissions
    pages = []
    for verdict in (Verdict.PASSED, Verdict.FAILED):
        test = TestResult("test_a", 3, Text("Un.", "One."), verdict, accuracy=(1.2, 1.5))
        results = {"n": NotebookResult([CellResult("test_x", [test])])}
        cells = [*record.cells, ("nothing", 0.0)]
        marks = [*first.marks, Mark("nothing", 0, 0, False, False, "")]
        one = replace(first, marks=marks, results=results)
        pages.append(report_html(replace(record, cells=cells, submissions=[one]), Path("x")))
    crosses = ["stroke-opacity: 0.7; stroke-linejoin: miter" in page for page in pages]  # a disc has no corners
    assert crosses == [False, True]
    assert all(page.count("en attente") == 1 for page in pages), "the free text waits; of nothing, there is no share"
    assert all("0 %  (0" not in page for page in pages), "what waits is not 0 %"


# -- Moodle ------------------------------------------------------------------------------------------------------------


def moodle_exporter() -> Moodle:
    return Moodle(log=logging.getLogger("export"))


def test_moodle_gets_participants_and_scaled_points(record: ClassRecord, caplog: pytest.LogCaptureFixture) -> None:
    first, second = rows(moodle_exporter().content(record, Path("x.csv")))
    assert "2 submissions still have answers to grade by hand" in caplog.text
    assert (second["Full name"], second["ID number"], second["Email address"]) == ("bo", "bo", "a@b.org")
    assert first["Identifier"] == "Participant 1234567"
    assert second["Identifier"] == ""
    assert first["Grade"] == "2.50"  # (1 - 0.5) / 4 of 20
    assert first["Last modified (grade)"] == "-", "as Moodle writes it"


def test_moodle_feedback_explains_lost_points_as_html(record: ClassRecord) -> None:
    feedback = rows(moodle_exporter().content(record, Path("x.csv")))[0]["Feedback comments"]
    assert feedback.count("<br>=1 &lt; 2<br>") == 1
    assert not feedback.endswith("<br>"), "a mark without a comment adds nothing"
    assert "<b>text : 0 / 1 (à noter ou à revoir)</b>" in feedback
    assert "Un." not in feedback, "this test was passed"
    assert "Deux. Le code s&#x27;est arrêté" in feedback


def test_moodle_gets_odd_cells_without_a_warning(record: ClassRecord, caplog: pytest.LogCaptureFixture) -> None:
    """A cell with a special character, and one without points. No student came by a Moodle download."""
    marks = [Mark("a<b", 3, 4, False, False, ""), Mark("c", 1, 0, False, False, "")]
    odd = replace(record.submissions[1], marks=marks, penalty=0.0)
    [row] = rows(moodle_exporter().content(replace(record, submissions=[odd]), Path("x.csv")))
    assert (row["Feedback comments"], row["Grade"]) == ("<b>a&lt;b : 3 / 4</b><br><b>c : 1 / 0</b>", "20.00")
    assert not caplog.text


def test_moodle_students_who_all_have_numbers_need_no_warning(
    record: ClassRecord, caplog: pytest.LogCaptureFixture
) -> None:
    moodle_exporter().content(replace(record, submissions=[record.submissions[0]]), Path("x.csv"))
    assert "Identifier" not in caplog.text


@pytest.mark.parametrize(("student", "name", "number"), [
    ("Élodie_Dupont_1234567", "Élodie Dupont", "1234567"), ("Élodie_Dupont_1234567", "DUPONT Élodie", "1234567"), ("Jean-Luc_d_Arc_12", "Jean-Luc d'Arc", "12"),
    ("promo_2024", "promo_2024", ""), ("promo_2024", "Anna Martin", ""), ("anna", "Anna", ""),
])  # fmt: skip
def test_only_ids_of_a_download_have_a_participant(student: str, name: str, number: str) -> None:
    assert participant(student, name) == number


def test_moodle_takes_no_mark_above_the_maximum(record: ClassRecord, caplog: pytest.LogCaptureFixture) -> None:
    """A person can give extra credit."""
    best = replace(record.submissions[1], marks=[Mark("test_x", 9, 3, False, False, "")])
    _, row = rows(moodle_exporter().content(replace(record, submissions=[record.submissions[0], best]), Path("x.csv")))
    assert row["Grade"] == row["Maximum grade"] == "20.00"
    assert "Above the maximum grade; exported as the maximum: bo" in caplog.text
    assert "without an Identifier, because they are not from a Moodle download: bo" in caplog.text


def test_a_maximum_of_zero_is_refused_or_gives_zero(record: ClassRecord) -> None:
    with pytest.raises(SystemExit):
        Moodle(parent=ExportApp(), out_of=0).content(record, Path("x.csv"))
    without_points = replace(record, cells=[("test_x", 0.0)])
    [row, _] = rows(moodle_exporter().content(without_points, Path("x.csv")))
    assert row["Grade"] == "0.00"


# -- details -----------------------------------------------------------------------------------------------------------


def test_details_have_a_line_for_each_mark_and_test(record: ClassRecord) -> None:
    lines = [row for row in rows(Details().content(record, Path("x.csv"))) if row["student_id"] == "bo"]
    assert [(line["kind"], line["verdict"], line["points"]) for line in lines] == [
        ("cell", "", "1"), ("hidden test", "passed", "1"), ("hidden test", "error", "0.0"),
        ("hidden test", "timeout", "0.0"), ("by hand", "", "0"),
    ]  # fmt: skip
    assert [bool(line["hint"]) for line in lines] == [False, False, True, True, False]
    assert lines[4]["needs_grading"] == "1"


TIMED = {"first_name": "Bo", "last_name": "Li", "timestamp": datetime(2026, 11, 3, 10, 0, 0, 5)}
"""A student with a name and a time of submission."""


def test_details_fill_every_field_that_is_known(record: ClassRecord) -> None:
    timed = replace(record, submissions=[replace(record.submissions[1], **TIMED)])
    student = {
        "student_id": "bo", "last_name": "Li", "first_name": "Bo", "email": "a@b.org",
        "timestamp": "2026-11-03T10:00:00Z", "seconds_late": "60", "penalty": "0.5",
    }  # fmt: skip
    cell = {
        "grade_id": "test_x",
        "kind": "cell",
        "points": "1",
        "out_of": "3",
        "needs_grading": "0",
        "comment": "'=1 < 2",
    }
    passed = {
        "grade_id": "test_x", "kind": "hidden test", "test": "test_a", "verdict": "passed", "points": "1", "out_of": "1",
        "rationale": "Un.", "accuracy": "0.98", "required_accuracy": "0.97",
    }  # fmt: skip
    lines = rows(Details().content(timed, Path("x.csv")))
    for line, known in zip(lines[:2], (cell, passed), strict=True):
        assert {name: value for name, value in line.items() if value} == student | known


def test_json_details_have_the_complete_results(record: ClassRecord) -> None:
    timed = replace(record, submissions=[replace(record.submissions[1], **TIMED)])
    written = DetailsJson().content(timed, Path("x.json"))
    assert "zoé" in written
    assert json.loads(written)["submissions"][0]["timestamp"] == "2026-11-03T10:00:00Z"
    document: dict[str, Any] = json.loads(DetailsJson().content(record, Path("x.json")))
    assert document["missing"] == ["zoé"]
    assert document["submissions"][0]["score"] == 0.5
    assert NotebookResult.from_dict(document["submissions"][1]["results"]["n"]) == record.submissions[1].results["n"]


def fields(document: object) -> Iterator[str]:
    """The names of all fields of a JSON document, without ids of cells and notebooks, and without languages."""
    if isinstance(document, list):
        for item in document:
            yield from fields(item)
    if isinstance(document, dict):
        for name, value in document.items():
            if name in ("cells", "results") and isinstance(value, dict):  # by grade cell, by notebook
                yield name
                yield from fields([*value.values()])
            elif name not in ("fr", "en"):
                yield name
                yield from fields(value)


def test_every_field_is_documented(root: Path, record: ClassRecord) -> None:
    documented = (root / "docs" / "exports.md").read_text()
    names = {name for row in rows(Details().content(record, Path("x"))) for name in row}
    names |= {name for row in rows(Moodle().content(record, Path("x"))) for name in row}
    names |= set(fields(json.loads(DetailsJson().content(record, Path("x")))))
    assert {name for name in names if f"`{name}`" not in documented} == set()
    assert {verdict.value for verdict in Verdict if f"`{verdict}`" not in documented} == set()


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(record: ClassRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`nbgrader export`, in the folder above a course whose gradebook has the class in each assignment of `there`."""
    monkeypatch.chdir(tmp_path)

    def read(gradebook: SimpleNamespace, coursedir: CourseDirectory, name: str) -> ClassRecord:
        if name not in [one.name for one in gradebook.assignments]:
            raise MissingEntry
        return replace(record, assignment=name)

    def run(kind: type[ExportPlugin], there: str = "n", config: Config | None = None, **options: object) -> None:
        app = ExportApp(config=config or Config())
        app.coursedir = CourseDirectory(root=str(tmp_path / "course"))
        kind(parent=app, **options).export(SimpleNamespace(assignments=[SimpleNamespace(name=name) for name in there]))

    monkeypatch.setattr(exporters, "read_class", read)
    return run


def test_a_half_written_file_is_deleted(run: Callable[..., None]) -> None:
    """The disk may be full; here, the size of files is limited."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(SystemExit):
            run(Moodle)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not Path("moodle_n.csv").exists()
    run(Moodle)
    content = Path("moodle_n.csv").read_bytes().decode()
    assert len(rows(content)) == 2
    assert content.count("\r\n") == content.count("\n") == 3, "line ends are the same on every system"


def test_a_file_that_cannot_be_opened_is_named_and_kept(
    run: Callable[..., None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    Path("marks.csv").write_text("old marks")
    Path("folder").mkdir()
    for place, why in (("folder", "Is a directory"), ("none/marks.csv", "No such file"), ("marks.csv", "Permission")):
        with monkeypatch.context() as patch:
            if place == "marks.csv":
                patch.setattr(Path, "open", refused)
            with pytest.raises(SystemExit):
                run(Moodle, to=place)
        assert f"{place} cannot be written: {why}" in capsys.readouterr().err
    assert Path("marks.csv").read_text() == "old marks"


def test_each_assignment_has_its_file(run: Callable[..., None]) -> None:
    run(DetailsJson, there="no")
    documents = {path.name: json.loads(path.read_text()) for path in Path().iterdir()}
    assert {name: document["assignment"] for name, document in documents.items()} == {
        "details_n.json": "n", "details_o.json": "o"
    }  # fmt: skip


def test_only_the_chosen_students_are_exported(run: Callable[..., None]) -> None:
    run(DetailsJson, there="no", assignment=["n"], student=["bo"], to="bo.json")
    document = json.loads(Path("bo.json").read_text())
    assert [one["student"] for one in document["submissions"]] == ["bo"]
    assert document["missing"] == []
    assert len(list(Path().iterdir())) == 1


@pytest.mark.parametrize(("options", "message"), [
    ({"there": "no", "to": "x"}, "choose one of n, o with --assignment"),
    ({"assignment": ["x"]}, "'x'; it has: n."),
    ({"there": ""}, "no assignment yet"),
    ({"there": "", "assignment": ["x"]}, "no assignment yet"),
    ({"language": "de"}, "choose one of fr, en"),
    ({"student": ["bo", "ob"]}, "does not know the student ob."),
])  # fmt: skip
def test_impossible_options_are_refused(
    run: Callable[..., None], capsys: pytest.CaptureFixture[str], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(SystemExit):
        run(DetailsJson, **options)
    assert message in capsys.readouterr().err
    assert not list(Path().iterdir())


def test_an_export_has_the_configured_language(run: Callable[..., None]) -> None:
    page = Path("course", "feedback", "bo", "n", "n.html")
    page.parent.mkdir(parents=True)
    page.touch()
    english = Config(JudgedAutograde={"language": "en"})
    for options, title in (({}, "Bilan"), ({"config": english}, "Class report"), ({"language": "en"}, "Class report")):
        set_language("fr")
        run(Report, **options)
        assert title in Path("report_n.html").read_text()
    assert 'href="course/feedback/bo/n/n.html"' in Path("report_n.html").read_text()
