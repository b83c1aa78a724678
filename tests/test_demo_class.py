"""The whole way, as an instructor goes it: the stock nbgrader commands on a class of odd and even students."""

import csv
import re
from pathlib import Path

import nbformat
import pytest
from browser import Browser
from cheaters import CHEATERS
from courses import ONE_THREAD, Course, configure, nbgrader, result
from selenium.webdriver.common.keys import Keys

from course_lib.assignment.spec import NotebookSpec
from course_lib.cli.demo import make_course
from course_lib.cli.demo_class import ALL_POINTS, CLASS, Situation, fill
from course_lib.reports.class_report import report_html
from course_lib.reports.marks_table import marks_table

EVERYBODY = [*CLASS, *CHEATERS]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The demo class and two cheaters, graded by the stock commands in a folder of its own."""
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


def test_every_submission_is_graded_and_the_command_succeeds(demo: Course) -> None:
    assert demo.autograde.returncode == 0, demo.autograde.stderr
    with demo.gradebook() as gradebook:
        assert {s.student.id for s in gradebook.assignment_submissions("mnist1")} == {s.name for s in EVERYBODY}


@pytest.mark.parametrize("situation", EVERYBODY, ids=lambda situation: situation.name)
def test_every_mark_is_as_expected(demo: Course, situation: Situation) -> None:
    assert automatic_marks(demo, situation.name) == situation.marks


def test_the_sixteen_automatic_points_are_all_there() -> None:
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
def test_a_lost_point_has_its_word(demo: Course, student: str, cell: str, verdict: str) -> None:
    assert set(verdicts(demo, student)[cell]) - {"passed"} == {verdict}


def test_a_syntax_error_is_named_to_the_student(demo: Course) -> None:
    cells = result(demo.folder, "syntax_error", "mnist1")["cells"]
    details = {test["detail"] for cell in cells if cell["grade_id"] == "test_cnn2" for test in cell["tests"]}
    assert any("SyntaxError" in detail for detail in details)


def test_free_texts_wait_for_a_person_unless_they_are_empty(demo: Course) -> None:
    with demo.gradebook() as gradebook:
        for student, waits in (("perfect", True), ("blank", False), ("truncated_file", False)):
            grade = gradebook.find_grade("question_view", "mnist1", "mnist1", student)
            assert (grade.auto_score is None) is waits
            assert grade.needs_manual_grade is waits


def test_an_unreadable_file_keeps_the_cells_that_a_person_may_comment(demo: Course) -> None:
    """A comment stands under a solution cell, and reaches the exports by its mark."""
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


def test_a_mended_notebook_says_so(demo: Course) -> None:
    assert "réunis" in demo.feedback("split_cell")
    assert "test_softmax" in nbformat.read(demo.autograded("deleted_test_cell"), as_version=4).cells[0].source


def test_feedback_shows_each_rationale_with_its_verdict_and_no_hidden_source(demo: Course, spec: NotebookSpec) -> None:
    page = demo.feedback("partly_right").replace("&nbsp;", " ").replace("\xa0", " ")
    for text in ("Chaque ligne vaut 1 à la colonne du label", "échoué", "réussi", "non traité", "0 / 0.25"):
        assert text in page
    plain = re.sub(r"<[^>]+>", "", page)
    for path in spec.tests.values():
        for line in path.read_text().splitlines():
            if (
                line.startswith("    ")
                and len(line.strip()) > 25
                and "=" in line
                and 'fr="' not in line
                and 'en="' not in line
            ):
                assert line.strip() not in plain, f"{path.name}: {line}"
    for word in ("HIDDEN", "reference.", "course_lib.authoring"):
        assert word not in plain
    assert "No description has been provided" not in page, "each figure has a text for who cannot see it"


def test_the_perfect_student_reproduces_the_results_of_the_course(demo: Course) -> None:
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
    table = next(
        o["data"]["text/html"]
        for c in notebook.cells
        if c.id == "confusion"
        for o in c.outputs
        if "text/html" in o.get("data", {})
    )
    assert sum(float(n) for n in re.findall(r">(\d+\.\d\d)</td>", table)) == 10_000


def test_nbgrader_reads_what_the_judge_wrote(demo: Course) -> None:
    assert nbgrader(demo.folder, "export", "--to", "grades.csv").returncode == 0
    with (demo.folder / "grades.csv").open() as stream:
        rows = {row["student_id"]: row for row in csv.DictReader(stream)}
    assert float(rows["perfect"]["score"]) == 16
    assert float(rows["perfect"]["max_score"]) == 20
    listed = nbgrader(demo.folder, "db", "student", "list")
    assert listed.returncode == 0
    assert "perfect" in listed.stdout + listed.stderr


def test_the_table_has_a_line_for_each_student(demo: Course) -> None:
    lines = marks_table(demo.record()).splitlines()
    assert {line.split()[0] for line in lines[2:]} == {s.name for s in EVERYBODY}


def test_the_report_of_the_demo_class_is_whole_and_needs_nothing_else(demo: Course) -> None:
    run = nbgrader(
        demo.folder, "export", "--exporter=course_lib.nbgrader_plugins.exporters.Report", "--to", "report.html"
    )
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


def test_the_reports_table_sorts_by_mouse_and_keyboard_and_fits_on_paper(
    browser: Browser, demo: Course, tmp_path: Path
) -> None:
    def column(which: str) -> list[str]:
        return [cell.text for cell in browser.all(f"table.sortable tbody td:{which}")]

    page = tmp_path / "report.html"
    page.write_text(report_html(demo.record(), page))
    browser.driver.get(page.as_uri())
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

    paper = {"width": 718, "height": 1047, "deviceScaleFactor": 1, "mobile": False}  # A4 without its margins
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", paper)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    widths = "return Array.from(document.querySelectorAll('table, figure'), e => e.getBoundingClientRect().right)"
    assert max(browser.driver.execute_script(widths)) <= 718
    browser.picture("report-printed")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_an_unknown_assignment_is_refused_in_one_line(demo: Course) -> None:
    run = nbgrader(
        demo.folder, "export", "--exporter=course_lib.nbgrader_plugins.exporters.Details", "--assignment=other"
    )
    assert run.returncode != 0
    assert "does not know the assignment 'other'" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.long
def test_a_second_run_grades_only_what_is_not_graded(demo: Course, spec: NotebookSpec) -> None:
    """A student who hands in late, a folder that a killed run left half done; the others are left alone."""
    before = {s.name: demo.autograded(s.name).stat().st_mtime_ns for s in EVERYBODY}
    late = demo.folder / "submitted" / "étudiant" / "mnist1"
    late.mkdir(parents=True)
    (late / "mnist1.ipynb").write_bytes(fill(spec, CLASS[0]))
    half = demo.autograded("blank")
    half.chmod(0o644)
    half.write_text("{")
    with demo.gradebook() as gradebook:  # a stale mark must not survive
        gradebook.find_grade("test_cnn", "mnist1", "mnist1", "blank").auto_score = 2
        gradebook.db.commit()
    run = nbgrader(demo.folder, "autograde", "mnist1")
    assert run.returncode == 0, run.stderr
    assert automatic_marks(demo, "étudiant") == ALL_POINTS
    assert automatic_marks(demo, "blank") == dict.fromkeys(ALL_POINTS, 0)
    changed = {s.name for s in EVERYBODY if demo.autograded(s.name).stat().st_mtime_ns != before[s.name]}
    assert changed == {"blank"}


@pytest.mark.long
def test_training_every_model_for_real_gives_the_same_marks(tmp_path: Path) -> None:
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
            assert seconds["training"] > 20, "its kernel has trained"
