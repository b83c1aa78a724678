"""The stock nbgrader commands on a class of right and wrong answers, from the release to the report."""

import csv
import re
from pathlib import Path

import nbformat
import pytest
from selenium.webdriver.common.keys import Keys

from course_lib.assignment.spec import NotebookSpec
from course_lib.cli.demo import make_course
from course_lib.cli.demo_class import ALL_POINTS, CLASS, DemoStudent, fill
from course_lib.reports.class_report import report_html
from course_lib.reports.marks_table import marks_table
from tests.support.browser import Browser
from tests.support.cheaters import CHEATERS
from tests.support.courses import ONE_THREAD, Course, configure, nbgrader, result

EVERYBODY = [*CLASS, *CHEATERS]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The demo class and three cheaters, graded by the stock commands."""
    folder = tmp_path_factory.mktemp("demo") / "course"
    make_course(folder, EVERYBODY)
    configure(folder, ONE_THREAD)
    generated = nbgrader(folder, "generate_assignment", "mnist1")
    assert generated.returncode == 0, generated.stderr
    autograde = nbgrader(folder, "autograde", "mnist1")
    feedback = nbgrader(folder, "generate_feedback", "mnist1")
    assert feedback.returncode == 0, feedback.stderr
    return Course(folder, autograde)


def automatic_marks(course: Course, student: str) -> dict[str, float]:
    with course.gradebook() as gradebook:
        submission = gradebook.find_submission_notebook("mnist1", "mnist1", student)
        return {grade.name: grade.auto_score for grade in submission.grades if grade.name in ALL_POINTS}


def verdicts(course: Course, student: str) -> dict[str, list[str]]:
    cells = result(course.folder, student, "mnist1")["cells"]
    return {cell["grade_id"]: [test["verdict"] for test in cell["tests"]] for cell in cells}


def test_every_submission_is_graded(demo: Course) -> None:
    assert demo.autograde.returncode == 0, demo.autograde.stderr
    with demo.gradebook() as gradebook:
        assert {s.student.id for s in gradebook.assignment_submissions("mnist1")} == {s.name for s in EVERYBODY}


@pytest.mark.parametrize("situation", EVERYBODY, ids=lambda situation: situation.name)
def test_a_student_gets_the_expected_marks(demo: Course, situation: DemoStudent) -> None:
    assert automatic_marks(demo, situation.name) == situation.marks


def test_there_are_sixteen_automatic_points() -> None:
    assert sum(ALL_POINTS.values()) == 16


@pytest.mark.parametrize(
    ("student", "cell", "verdict"),
    [
        ("blank", "test_softmax", "not_attempted"),
        ("partly_right", "test_cnn2", "not_attempted"),
        ("partly_right", "test_cnn2_accuracy", "not_attempted"),
        ("partly_right", "test_argmax", "failed"),
        ("syntax_error", "test_cnn2", "error"),
        ("syntax_error", "test_cnn2_accuracy", "error"),
        ("endless_loop", "test_argmax", "timeout"),
        ("kernel_dies", "test_one_hot", "kernel_died"),
        ("truncated_file", "test_cnn", "unreadable"),
    ],
)
def test_a_lost_point_has_the_right_verdict(demo: Course, student: str, cell: str, verdict: str) -> None:
    assert set(verdicts(demo, student)[cell]) - {"passed"} == {verdict}


def test_a_syntax_error_is_named_to_the_student(demo: Course) -> None:
    cells = result(demo.folder, "syntax_error", "mnist1")["cells"]
    details = {test["detail"] for cell in cells if cell["grade_id"] == "test_cnn2" for test in cell["tests"]}
    assert any("SyntaxError" in detail for detail in details)


def test_a_free_text_waits_for_a_person_unless_it_is_empty(demo: Course) -> None:
    with demo.gradebook() as gradebook:
        for student, waits in (("perfect", True), ("blank", False), ("truncated_file", False)):
            grade = gradebook.find_grade("question_view", "mnist1", "mnist1", student)
            assert (grade.auto_score is None) is waits
            assert grade.needs_manual_grade is waits


def test_solution_cells_are_known_for_an_unreadable_file(demo: Course) -> None:
    """A person comments on a solution cell, and exports show the comment with the mark of its grade cell."""
    for student in ("truncated_file", "partly_right"):
        cells = result(demo.folder, student, "mnist1")["cells"]
        assert [(cell["grade_id"], cell["solution"]) for cell in cells[:2]] == [
            ("test_dimensions", "dimensions"),
            ("test_one_hot", "one_hot"),
        ]


def test_an_unreadable_file_says_why_and_what_to_do(demo: Course) -> None:
    page = demo.feedback("truncated_file")
    assert "JSON" in page
    assert "rendez-le à nouveau" in page


def test_a_repaired_notebook_says_so(demo: Course) -> None:
    assert "réunis" in demo.feedback("split_cell")
    assert "test_softmax" in nbformat.read(demo.autograded("deleted_test_cell"), as_version=4).cells[0].source


def test_feedback_shows_verdicts_and_no_hidden_source(demo: Course, spec: NotebookSpec) -> None:
    page = demo.feedback("partly_right").replace("&nbsp;", " ").replace("\xa0", " ")
    for text in ("Chaque ligne vaut 1 à la colonne du label", "échoué", "réussi", "non traité", "0 / 0.25"):
        assert text in page
    plain = re.sub(r"<[^>]+>", "", page)
    for path in spec.tests.values():
        for line in path.read_text().splitlines():
            is_rationale = 'fr="' in line or 'en="' in line
            if line.startswith("    ") and len(line.strip()) > 25 and "=" in line and not is_rationale:
                assert line.strip() not in plain, f"{path.name}: {line}"
    for word in ("HIDDEN", "reference.", "course_lib.authoring"):
        assert word not in plain
    assert "No description has been provided" not in page, "each figure has a text alternative"


def test_the_perfect_student_reproduces_the_course(demo: Course) -> None:
    notebook = nbformat.read(demo.autograded("perfect"), as_version=4)
    printed = {}
    for cell in notebook.cells:
        text = "".join(output.get("text", "") for output in cell.get("outputs", []))
        found = re.search(r"Test accuracy : ([\d.]+)", text)
        if found:
            printed[cell.id] = float(found[1])
        found = re.search(r"Test loss     : ([\d.]+)", text)
        if found and cell.id == "evaluate_model":
            assert float(found[1]) == pytest.approx(2.3017, abs=0.001)
    assert printed["evaluate_model"] == pytest.approx(0.9012, abs=0.01)
    assert printed["train_dnn"] == pytest.approx(0.978, abs=0.006)
    assert printed["train_cnn"] == pytest.approx(0.9815, abs=0.004)
    assert printed["train_cnn2"] == pytest.approx(0.9848, abs=0.004)
    confusion = next(cell for cell in notebook.cells if cell.id == "confusion")
    table = next(o["data"]["text/html"] for o in confusion.outputs if "text/html" in o.get("data", {}))
    assert sum(int(n) for n in re.findall(r">(\d+)</td>", table)) == 10_000


def test_nbgrader_reads_what_the_judge_wrote(demo: Course) -> None:
    assert nbgrader(demo.folder, "export", "--to", "grades.csv").returncode == 0
    with (demo.folder / "grades.csv").open() as stream:
        rows = {row["student_id"]: row for row in csv.DictReader(stream)}
    assert float(rows["perfect"]["score"]) == 16
    assert float(rows["perfect"]["max_score"]) == 20
    listed = nbgrader(demo.folder, "db", "student", "list")
    assert listed.returncode == 0
    assert "perfect" in listed.stdout + listed.stderr


def test_the_marks_table_has_a_line_for_each_student(demo: Course) -> None:
    lines = marks_table(demo.record()).splitlines()
    assert {line.split()[0] for line in lines[2:]} == {s.name for s in EVERYBODY}


def test_the_report_is_complete_and_one_file(demo: Course) -> None:
    exporter = "--exporter=course_lib.nbgrader_plugins.exporters.Report"
    run = nbgrader(demo.folder, "export", exporter, "--to", "report.html")
    assert run.returncode == 0, run.stderr
    page = (demo.folder / "report.html").read_text()
    assert page.count("<svg") == 3
    assert not re.findall(r"<(?:link|img|iframe)|src=|@import|url\((?!#)", page)
    for link in re.findall(r'href="([^"#]+\.html)"', page):
        assert (demo.folder / link).exists()
    assert "feedback/perfect/mnist1/mnist1.html" in page
    assert "JSON" in page.split("À regarder")[1]
    accuracies = [test.accuracy for one in demo.record().submissions for _, test in one.tests() if test.accuracy]
    assert len(accuracies) > 20
    assert all(0.1 < measured <= 1 and 0.5 < required < 1 for measured, required in accuracies)


@pytest.fixture
def report(browser: Browser, demo: Course, tmp_path: Path) -> None:
    """The class report, open in the browser."""
    page = tmp_path / "report.html"
    page.write_text(report_html(demo.record(), page))
    browser.driver.get(page.as_uri())


@pytest.mark.usefixtures("report")
def test_the_reports_table_sorts_by_mouse_and_keyboard(browser: Browser) -> None:
    def column(which: str) -> list[str]:
        return [cell.text for cell in browser.all(f"table.sortable tbody td:{which}")]

    browser.picture("report")
    students, total = column("first-child"), "nth-last-child(2)"
    button = browser.one(f"table.sortable th:{total} button")
    browser.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    points = [float(text) for text in column(total)]
    assert points == sorted(points)
    assert points[0] < points[-1]
    browser.press(Keys.ENTER)
    assert [float(text) for text in column(total)] == points[::-1]
    assert browser.all("th[aria-sort=descending]") == [button.find_element("xpath", "..")]
    browser.picture("report-table")
    browser.one("table.sortable th:first-child button").click()
    assert column("first-child") == sorted(students)


@pytest.mark.usefixtures("report")
def test_the_report_fits_on_paper(browser: Browser) -> None:
    paper = {"width": 718, "height": 1047, "deviceScaleFactor": 1, "mobile": False}  # A4 without its margins
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", paper)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    widths = "return Array.from(document.querySelectorAll('table, figure'), e => e.getBoundingClientRect().right)"
    assert max(browser.driver.execute_script(widths)) <= 718
    browser.picture("report-printed")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_an_unknown_assignment_is_refused_without_traceback(demo: Course) -> None:
    exporter = "--exporter=course_lib.nbgrader_plugins.exporters.Details"
    run = nbgrader(demo.folder, "export", exporter, "--assignment=other")
    assert run.returncode != 0
    assert "does not know the assignment 'other'" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.long
def test_a_second_run_grades_only_what_is_missing(demo: Course, spec: NotebookSpec) -> None:
    """One student hands in late, and a killed run left the files of another half written."""
    before = {s.name: demo.autograded(s.name).stat().st_mtime_ns for s in EVERYBODY}
    late = demo.folder / "submitted" / "étudiant" / "mnist1"
    late.mkdir(parents=True)
    (late / "mnist1.ipynb").write_bytes(fill(spec, CLASS[0]))
    half = demo.autograded("blank")
    half.chmod(0o644)
    half.write_text("{")
    with demo.gradebook() as gradebook:  # an outdated mark must not survive
        gradebook.find_grade("test_cnn", "mnist1", "mnist1", "blank").auto_score = 2
        gradebook.db.commit()
    run = nbgrader(demo.folder, "autograde", "mnist1")
    assert run.returncode == 0, run.stderr
    assert automatic_marks(demo, "étudiant") == ALL_POINTS
    assert automatic_marks(demo, "blank") == dict.fromkeys(ALL_POINTS, 0)
    changed = {s.name for s in EVERYBODY if demo.autograded(s.name).stat().st_mtime_ns != before[s.name]}
    assert changed == {"blank"}


@pytest.mark.long
def test_training_every_model_gives_the_same_marks(tmp_path: Path) -> None:
    folder = tmp_path / "course"
    make_course(folder, CLASS)
    configure(folder, "c.JudgedAutograde.train_once = False")
    assert nbgrader(folder, "generate_assignment", "mnist1").returncode == 0
    course = Course(folder, nbgrader(folder, "autograde", "mnist1"))
    assert course.autograde.returncode == 0, course.autograde.stderr
    for situation in CLASS:
        assert automatic_marks(course, situation.name) == situation.marks, situation.name
        if not situation.lost:
            seconds = result(folder, situation.name, "mnist1")["phases"]
            assert seconds["training"] > 20, "the kernel trained its models"
