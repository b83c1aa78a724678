"""What leaves the gradebook: the class report, Moodle's worksheet, all details; harmless, complete, in both languages."""

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
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nbgrader.api import MissingEntry
from nbgrader.apps import ExportApp
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import ExportPlugin
from traitlets.config import Config

from course_lib.authoring.result import CellResult, NotebookResult, TestResult, Verdict
from course_lib.messages import Text, set_language
from course_lib.nbgrader_plugins import exporters as export
from course_lib.nbgrader_plugins.exporters import Details, DetailsJson, Moodle, Report
from course_lib.nbgrader_plugins.moodle import participant
from course_lib.records.class_record import ClassRecord, Mark, Submission
from course_lib.reports import class_report as report
from course_lib.reports.class_report import report_html

FORMULA = '=HYPERLINK("evil")<script>alert(1)</script>'


@pytest.fixture
def record() -> ClassRecord:
    """Two students: one with a formula for a name, an error and a late penalty, one who waits for a person."""
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
        "course", "n", [("test_x", 3), ("text", 1)], [first, replace(first, student="bo", last_name="")], ["zoé"]
    )


def rows(content: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content)))


def test_no_text_of_a_student_becomes_a_formula_or_a_script(record: ClassRecord) -> None:
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
def test_whatever_begins_a_formula_is_made_a_text(record: ClassRecord, first: str) -> None:
    one = replace(record.submissions[0], email=f"{first}1")
    [row] = rows(Moodle().content(replace(record, submissions=[one]), Path("x.csv")))
    assert row["Email address"] == f"'{first}1"


def test_the_report_says_what_students_code_ran_in(record: ClassRecord) -> None:
    first, second = record.submissions
    lost = CellResult("test_x", [TestResult("test_a", 1, Text("Un.", "One."), Verdict.UNREADABLE)])
    unread = replace(second, results={"n": NotebookResult([lost], unreadable="no JSON")})
    naked = replace(second, student="eve", results={"n": NotebookResult([])})
    page = report_html(replace(record, submissions=[first, unread, naked]), Path("x.html"))
    assert "bubblewrap + cuda (1), aucun (1)</li>" in page
    look = page[page.index("<h2>À regarder") : page.index("<h2>Tous les étudiants")]
    assert look.count("corrigé sans bac à sable") == 1, "of an unreadable notebook, no code ran"
    assert "illisible : no JSON" in look
    assert "× illisible" not in look, "it is said once, with the reason"


def test_the_report_counts_failures_and_passes(record: ClassRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commonest failure first; what nobody tried, or could be read, is none."""
    second = record.submissions[1]
    told = {"test_a": "rare", "test_b": "common", "test_c": "other"}
    found = [
        {"test_a": Verdict.FAILED, "test_b": Verdict.FAILED, "test_c": Verdict.NOT_ATTEMPTED},
        {"test_a": Verdict.PASSED, "test_b": Verdict.FAILED, "test_c": Verdict.UNREADABLE},
        {"test_a": Verdict.PASSED, "test_b": Verdict.ERROR, "test_c": Verdict.FAILED},
    ]
    submissions = []
    for student, verdicts in zip("abc", found, strict=True):
        tests = [TestResult(n, 1, Text(f"De {n}", n), v, detail=told[n]) for n, v in verdicts.items()]
        cells = [CellResult("test_x", tests)]
        if student == "c":  # the same in another cell is another failure
            cells.append(CellResult("test_y", [replace(tests[1], verdict=Verdict.FAILED)]))
        results = {"n": NotebookResult(cells, protection="bubblewrap")}
        submissions.append(replace(second, student=student, results=results, ungraded=[]))
    many = replace(record, submissions=submissions)
    failures = report._failures(many)
    assert [(failure.hint, [*failure.students]) for failure in failures] == [
        (TestResult("", 1, Text("", ""), verdict, detail=detail).hint, students)
        for verdict, detail, students in (
            (Verdict.FAILED, "common", ["a", "b"]), (Verdict.FAILED, "rare", ["a"]), (Verdict.ERROR, "common", ["c"]),
            (Verdict.FAILED, "other", ["c"]), (Verdict.FAILED, "common", ["c"]),
        )
    ]  # fmt: skip
    page = report_html(many, Path("x.html"))
    assert '<td>De test_a</td><td class="n">2 / 3</td>\n<td>1 échoué</td>' in page
    assert "× échoué" not in page, "an ordinary failure needs nobody's eye"
    monkeypatch.setattr(report, "SHOWN", 2)
    assert report._failures(many) == failures[:2]


def test_the_report_sums_up_marks_and_time(record: ClassRecord) -> None:
    second = record.submissions[1]
    submissions = []
    for student, points, seconds in (("a", 1, 4.0), ("b", 1, 9.0), ("c", 3, 8.0)):
        marks = [Mark("test_x", points, 3, False, False, ""), *[Mark("text", 0, 1, True, True, "")] * 2]
        result = NotebookResult([], seconds=seconds, phases={"training": 1.0, "cells": seconds - 1})
        submissions.append(replace(second, student=student, marks=marks, penalty=0.0, results={"n": result}))
    page = report_html(replace(record, submissions=submissions), Path("x.html"))
    for shown in ("<b>1.67 / 4</b>moyenne", "<b>1</b>médiane", "<b>6</b>réponses à noter"):
        assert shown in page
    assert "temps de calcul : 21 s · par rendu, médiane : 8 s · le plus long : 9 s (b)" in page
    assert "cellules 18 s, entraînement 3 s" in page
    assert "Exactitudes" not in page, "nothing was trained"


def test_the_table_of_students_calls_a_cell_by_what_it_tests(record: ClassRecord) -> None:
    page = report_html(replace(record, cells=[("test_x", 3), ("contest_y", 1)]), Path("x.html"))
    assert re.findall(r"<button title=.*?>(.*?)</button>", page) == ["x", "contest_y"]


def test_the_reports_figures_show_questions_from_top_to_bottom_each_threshold_and_everybody(
    record: ClassRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = [TestResult(f"test_{n}", 1, Text("", ""), Verdict.PASSED, accuracy=(0.99, n / 100)) for n in (96, 97)]
    one = replace(record.submissions[0], results={"n": NotebookResult([CellResult("test_x", tests)])})
    plotted = replace(record, submissions=[one])
    page = report_html(plotted, Path("x"))
    assert page.count("<svg") == 3
    assert "<?xml" not in page
    assert report._questions(plotted) == report._questions(plotted), "nothing in it changes by itself"
    monkeypatch.setattr(report, "_svg", lambda figure: figure)
    bars = report._histogram([0.0, 8.5], 4).axes[0].patches
    assert sum(bar.get_height() for bar in bars) == 2, "who has more than all points is there, too"
    for figure in (report._questions(plotted), report._accuracies(plotted)):
        assert figure.axes[0].yaxis_inverted()
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


def test_moodle_finds_its_participants_and_points_out_of_twenty(
    record: ClassRecord, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = Moodle(log=logging.getLogger("export"))
    first, second = rows(exporter.content(record, Path("x.csv")))
    assert "2 submissions have answers that wait for a person" in caplog.text
    assert (second["Full name"], second["ID number"], second["Email address"]) == ("bo", "bo", "a@b.org")
    assert first["Identifier"] == "Participant 1234567"
    assert second["Identifier"] == ""
    assert first["Grade"] == "2.50"  # (1 - 0.5) / 4 of 20
    assert first["Feedback comments"].count("<br>=1 &lt; 2<br>") == 1
    assert not first["Feedback comments"].endswith("<br>"), "of a mark without a comment, nothing"
    assert "<b>text : 0 / 1 (à noter ou à revoir)</b>" in first["Feedback comments"]
    assert first["Last modified (grade)"] == "-", "as Moodle writes it"
    assert "Un." not in first["Feedback comments"]
    assert "Deux. Le code s&#x27;est arrêté" in first["Feedback comments"]
    odd = replace(record.submissions[1], marks=[Mark("a<b", 3, 4, False, False, ""), Mark("c", 1, 0, False, False, "")])
    caplog.clear()
    [row] = rows(exporter.content(replace(record, submissions=[replace(odd, penalty=0.0)]), Path("x.csv")))
    assert (row["Feedback comments"], row["Grade"]) == ("<b>a&lt;b : 3 / 4</b><br><b>c : 1 / 0</b>", "20.00")
    assert not caplog.text, "all points are not more than all; where nobody came by Moodle, nobody lacks a number"
    exporter.content(replace(record, submissions=[record.submissions[0]]), Path("x.csv"))
    assert "Identifier" not in caplog.text


@pytest.mark.parametrize(("student", "name", "number"), [
    ("Élodie_Dupont_1234567", "Élodie Dupont", "1234567"), ("Élodie_Dupont_1234567", "DUPONT Élodie", "1234567"), ("Jean-Luc_d_Arc_12", "Jean-Luc d'Arc", "12"),
    ("promo_2024", "promo_2024", ""), ("promo_2024", "Anna Martin", ""), ("anna", "Anna", ""),
])  # fmt: skip
def test_only_a_download_tells_the_participant(student: str, name: str, number: str) -> None:
    assert participant(student, name) == number


def test_moodle_takes_no_mark_above_the_maximum(record: ClassRecord, caplog: pytest.LogCaptureFixture) -> None:
    """A person can give extra credit."""
    best = replace(record.submissions[1], marks=[Mark("test_x", 9, 3, False, False, "")])
    exporter = Moodle(log=logging.getLogger("export"))
    _, row = rows(exporter.content(replace(record, submissions=[record.submissions[0], best]), Path("x.csv")))
    assert row["Grade"] == row["Maximum grade"] == "20.00"
    assert "Moodle takes the maximum at most: bo" in caplog.text
    assert "so no Identifier: bo" in caplog.text
    with pytest.raises(SystemExit):
        Moodle(parent=ExportApp(), out_of=0).content(record, Path("x.csv"))
    nothing = replace(record, cells=[("test_x", 0.0)], submissions=[replace(best, marks=[])])
    assert rows(exporter.content(nothing, Path("x.csv")))[0]["Grade"] == "0.00"


def test_every_detail_is_there(record: ClassRecord) -> None:
    lines = [row for row in rows(Details().content(record, Path("x.csv"))) if row["student_id"] == "bo"]
    assert [(r["kind"], r["verdict"], r["points"]) for r in lines] == [
        ("cell", "", "1"), ("hidden test", "passed", "1"), ("hidden test", "error", "0.0"),
        ("hidden test", "timeout", "0.0"), ("by hand", "", "0"),
    ]  # fmt: skip
    timed = replace(
        record.submissions[1], first_name="Bo", last_name="Li", timestamp=datetime(2026, 11, 3, 10, 0, 0, 5)
    )
    one_class = replace(record, submissions=[timed])
    student = {
        "student_id": "bo", "last_name": "Li", "first_name": "Bo", "email": "a@b.org",
        "timestamp": "2026-11-03T10:00:00Z", "seconds_late": "60", "penalty": "0.5",
    }  # fmt: skip
    cell = {"grade_id": "test_x", "kind": "cell", "points": "1", "out_of": "3", "waits": "0", "comment": "'=1 < 2"}
    passed = {
        "grade_id": "test_x", "kind": "hidden test", "test": "test_a", "verdict": "passed", "points": "1", "out_of": "1",
        "rationale": "Un.", "accuracy": "0.98", "required_accuracy": "0.97",
    }  # fmt: skip
    lines = rows(Details().content(one_class, Path("x.csv")))
    for line, told in zip(lines[:2], (cell, passed), strict=True):
        assert {name: value for name, value in line.items() if value} == student | told
    assert [bool(line["hint"]) for line in lines] == [False, False, True, True, False]
    assert lines[4]["waits"] == "1"
    written = DetailsJson().content(one_class, Path("x.json"))
    assert "zoé" in written
    assert json.loads(written)["submissions"][0]["timestamp"] == student["timestamp"]
    document: dict[str, Any] = json.loads(DetailsJson().content(record, Path("x.json")))
    assert document["missing"] == ["zoé"]
    assert document["submissions"][0]["score"] == 0.5
    assert NotebookResult.from_dict(document["submissions"][1]["results"]["n"]) == record.submissions[1].results["n"]


def fields(document: object) -> Iterator[str]:
    """The names of all fields of a JSON document; ids and languages are none."""
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


@pytest.fixture
def run(record: ClassRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`nbgrader export` above a course whose gradebook has the class in the assignment 'n'."""
    monkeypatch.chdir(tmp_path)

    def read(gradebook: SimpleNamespace, coursedir: CourseDirectory, name: str) -> ClassRecord:
        if name not in [one.name for one in gradebook.assignments]:
            raise MissingEntry
        return replace(record, assignment=name)

    def run(kind: type[ExportPlugin], there: str = "n", config: Config | None = None, **options: object) -> None:
        app = ExportApp(config=config or Config())
        app.coursedir = CourseDirectory(root=str(tmp_path / "course"))
        kind(parent=app, **options).export(SimpleNamespace(assignments=[SimpleNamespace(name=name) for name in there]))

    monkeypatch.setattr(export, "read_class", read)
    return run


def test_half_of_a_class_is_not_left(run: Callable[..., None]) -> None:
    """A full disk, or here a limit on the size of files."""
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


def test_what_cannot_be_opened_is_named_and_stays(
    run: Callable[..., None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    Path("marks.csv").write_text("of before")
    Path("folder").mkdir()
    for place, why in (("folder", "Is a directory"), ("none/marks.csv", "No such file"), ("marks.csv", "Permission")):
        with monkeypatch.context() as patch:
            if place == "marks.csv":
                patch.setattr(Path, "open", refused)
            with pytest.raises(SystemExit):
                run(Moodle, to=place)
        assert f"{place} cannot be written: {why}" in capsys.readouterr().err
    assert Path("marks.csv").read_text() == "of before"


def test_one_file_is_written_for_each_assignment_and_student_that_was_asked_for(
    run: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    run(DetailsJson, there="no")
    documents = {path.name: json.loads(path.read_text()) for path in Path().iterdir()}
    assert {name: document["assignment"] for name, document in documents.items()} == {
        "details_n.json": "n", "details_o.json": "o"
    }  # fmt: skip
    run(DetailsJson, there="no", assignment=["n"], student=["bo"], to="bo.json")
    document = json.loads(Path("bo.json").read_text())
    assert [one["student"] for one in document["submissions"]] == ["bo"]
    assert document["missing"] == []
    assert len(list(Path().iterdir())) == 3
    for refused, said in (
        ({"there": "no", "to": "x"}, "choose one of n, o with --assignment"), ({"assignment": ["x"]}, "'x'; it has: n."),
        ({"there": ""}, "no assignment yet"), ({"there": "", "assignment": ["x"]}, "no assignment yet"), ({"language": "de"}, "choose one of fr, en"),
        ({"student": ["bo", "ob"]}, "does not know the student ob."),
    ):  # fmt: skip
        with pytest.raises(SystemExit):
            run(DetailsJson, **({"there": "n"} | refused))
        assert said in capsys.readouterr().err
    assert len(list(Path().iterdir())) == 3


def test_an_export_speaks_the_language_of_the_grading_unless_told_otherwise(run: Callable[..., None]) -> None:
    page = Path("course", "feedback", "bo", "n", "n.html")
    page.parent.mkdir(parents=True)
    page.touch()
    english = Config(JudgedAutograde={"language": "en"})
    for options, title in (({}, "Bilan"), ({"config": english}, "Class report"), ({"language": "en"}, "Class report")):
        set_language("fr")
        run(Report, **options)
        assert title in Path("report_n.html").read_text()
    assert 'href="course/feedback/bo/n/n.html"' in Path("report_n.html").read_text()


def test_every_field_is_documented(root: Path, record: ClassRecord) -> None:
    documented = (root / "docs" / "export.md").read_text()
    names = {name for row in rows(Details().content(record, Path("x"))) for name in row}
    names |= {name for row in rows(Moodle().content(record, Path("x"))) for name in row}
    names |= set(fields(json.loads(DetailsJson().content(record, Path("x")))))
    assert {name for name in names if f"`{name}`" not in documented} == set()
    assert {verdict.value for verdict in Verdict if f"`{verdict}`" not in documented} == set()


def test_the_report_names_what_needs_a_person(record: ClassRecord) -> None:
    set_language("en")
    page = report_html(record, Path("x.html"))
    assert "1 × timeout" in page
    assert "mended before grading: une réparation" in page
    assert "waits for a person" in page
    assert "not graded yet, or by another version: m" in page
    assert 'lang="en"' in page


def test_the_report_of_an_empty_class_is_a_page(record: ClassRecord) -> None:
    assert "zoé" in report_html(replace(record, submissions=[]), Path("x.html"))


def test_the_report_believes_the_verdict_where_less_is_better(record: ClassRecord) -> None:
    """A perplexity of 1.2 passes a threshold of 1.5; a cell without points has no share of them."""
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
    assert all(page.count("0 %  (0 / 1)") == 1 for page in pages), "the free text waits; of nothing, there is no share"
