"""A submission always gets the same marks, and an appeal shows where they come from."""

import json
import re
import subprocess
import sys
from concurrent.futures import BrokenExecutor
from html import unescape
from pathlib import Path
from unittest.mock import Mock

import nbformat
import pytest

from course_lib.cli.__main__ import main
from course_lib.cli.appeal import account
from course_lib.judge.task import GradedNotebook
from course_lib.messages import Text
from course_lib.nbgrader_plugins.autograde import JudgedAutograde
from course_lib.results.errors import AssignmentError, GraderError
from course_lib.results.result import CellResult, NotebookResult, TestResult, Verdict
from course_lib.results.result_html import cell_html
from tests.corpus import combined, without_trainings
from tests.corpus import hand_in as hand_in_answers
from tests.support.code import code
from tests.support.courses import marks, nbgrader, result
from tests.support.tiny_course import CANARY, HONEST, hand_in, make_course, notebook, release, written

LUCKY = {
    "python": ("import random; luck = random.random()", "luck"),
    "numpy": ("import numpy; luck = numpy.random.rand()", "luck"),
    "torch": ("import torch; luck = torch.rand(()).item()", "luck"),
    "hash": ("luck = list({'a', 'b', 'c', 'd', 'e', 'f'}).index('a') / 6", "luck"),
    "asked": ("import random", "random.random()"),
}
"""Two parts of an answer that depends on luck: a statement, and an expression for a random number."""


def lucky_answer(name: str, threshold: float) -> str:
    draw, luck = LUCKY[name]
    return code(f"""
        {draw}
        def add(x):
            return x + 1 if {luck} < {threshold} else 0.0
    """)


def verdicts(folder: Path, assignment: str) -> dict[str, object]:
    """Return name, verdict and detail of each hidden test from the autograded notebooks, by student."""
    found = {}
    for path in sorted(folder.glob(f"autograded/*/{assignment}")):
        student = path.parent.name
        cells = result(folder, student, assignment)["cells"]
        found[student] = [(t["name"], t["verdict"], t["detail"]) for cell in cells for t in cell["tests"]]
    return found


@pytest.mark.long
def test_random_numbers_are_the_same_in_each_run(tmp_path: Path) -> None:
    """So is the order of sets. The second run grades the students in another order, on two workers."""
    outcomes = []
    for run, workers in enumerate((1, 2)):
        folder = tmp_path / f"run{run}"
        make_course(folder, {})
        for name in LUCKY:
            for n in range(2):
                place = n if run == 0 else 1 - n
                hand_in(folder, f"{place}{name}{n}", written(notebook(lucky_answer(name, (n + 1) / 3))))
        release(folder)
        done = nbgrader(folder, "autograde", "tiny", f"--JudgedAutograde.workers={workers}")
        assert done.returncode == 0, done.stderr
        outcomes.append({student[1:]: tests for student, tests in verdicts(folder, "tiny").items()})
    assert outcomes[0] == outcomes[1]
    assert len({str(tests) for tests in outcomes[0].values()}) > 1, "the answers do depend on luck"


@pytest.mark.long
def test_twenty_runs_give_the_same_marks(tmp_path: Path) -> None:
    """Right and wrong answers of the corpus are graded again each time, on one worker or two."""
    folder = tmp_path / "course"
    hand_in_answers(folder, combined(every=6))
    without_trainings(folder)
    assert nbgrader(folder, "generate_assignment", "mnist1").returncode == 0
    outcomes = []
    for run in range(20):
        done = nbgrader(folder, "autograde", "mnist1", "--force", f"--JudgedAutograde.workers={1 + run % 2}")
        assert done.returncode == 0, done.stderr
        outcomes.append((marks(folder, "mnist1"), verdicts(folder, "mnist1")))
    assert all(outcome == outcomes[0] for outcome in outcomes)


def appeal(folder: Path, student: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "course_lib.cli", "appeal", "tiny", student]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_an_appeal_accounts_for_every_point(tmp_path: Path) -> None:
    folder = tmp_path / "course"
    make_course(folder, {})
    hand_in(folder, "anna", written(notebook("def add(x): return x + 1 if x < 100 else x")))
    release(folder)
    assert nbgrader(folder, "autograde", "tiny").returncode == 0
    before = marks(folder, "tiny"), (folder / "autograded" / "anna" / "tiny" / "tiny.ipynb").read_bytes()
    shown = appeal(folder, "anna")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("tiny.ipynb  2.5 / 3")
    assert "test_add  1.5 / 2\n" in shown.stdout
    assert "✓ réussi  1.5 / 1.5  test_adds_one\n      add ajoute 1.\n" in shown.stdout
    assert "✗ échoué  0 / 0.5  test_adds_one_to_a_large_number" in shown.stdout
    assert "? call add(40.25) -> 41.25\n" in shown.stdout
    assert "? call add(1000000.0) -> 1000000.0\n" in shown.stdout
    assert "le carnet" not in shown.stdout
    assert before == (marks(folder, "tiny"), (folder / "autograded" / "anna" / "tiny" / "tiny.ipynb").read_bytes())
    page = json.dumps(nbformat.read(folder / "autograded" / "anna" / "tiny" / "tiny.ipynb", as_version=4))
    assert "1000000" not in page, "only the instructor sees the questions"
    assert CANARY not in page
    assert marks(folder, "tiny")["anna"] == HONEST | {"test_add": 1.5}


def test_control_characters_of_a_student_are_escaped(tmp_path: Path) -> None:
    """Terminals obey escape sequences, browsers obey bidi characters, and a null character ends a Moodle import."""
    odd = "\\x1b[2J\\x00\\u202e\\u2028\\n\\té"
    folder = tmp_path / "course"
    make_course(folder, {"cell": 1})
    hand_in(folder, "raises", written(notebook(f"raise OSError('{odd}')")))
    hand_in(folder, "loops", written(notebook("while True: pass  # \x1b[2J \u202e")))
    release(folder)
    assert nbgrader(folder, "autograde", "tiny").returncode == 0
    for exporter in ("Details", "Moodle", "Report"):
        export = nbgrader(folder, "export", f"--exporter=course_lib.nbgrader_plugins.exporters.{exporter}")
        assert export.returncode == 0, export.stderr
    files = ("details_tiny.csv", "moodle_tiny.csv", "report_tiny.html")
    details, moodle, report = ((folder / name).read_text() for name in files)
    assert "OSError: \\x1b[2J\\x00\\u202e é" in details
    assert "while True: pass # \\x1b[2J \\u202e" in details
    for text in (details, moodle, report):
        assert not set("\x1b\x00\u202e\u2028") & set(text)


def test_an_appeal_shows_marks_that_the_gradebook_lacks() -> None:
    test = TestResult("test_adds_one", 1.5, Text("Un.", "One."), Verdict.FAILED, asked=["call add(1.0) -> 0.0"])
    graded = GradedNotebook("", NotebookResult([CellResult("test_add", [test])]), set())
    lines = list(account("small", graded, {"test_add": 1.5}))
    assert "test_add  0 / 1.5  ! le carnet de notes dit 1.5" in lines
    assert "      ? call add(1.0) -> 0.0" in lines
    assert not [line for line in account("small", graded, {"test_add": 0.0}) if "carnet" in line]


@pytest.fixture
def appealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is `course appeal tiny anna`, in a course to which anna has submitted a file."""
    make_course(tmp_path, {})
    release(tmp_path)
    hand_in(tmp_path, "anna", b"")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["course", "appeal", "tiny", "anna"])


@pytest.mark.usefixtures("appealed")
def test_an_appeal_of_an_unknown_student_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["course", "appeal", "tiny", "nobody"])
    with pytest.raises(SystemExit, match="nobody/tiny does not exist"):
        main()


@pytest.mark.usefixtures("appealed")
@pytest.mark.parametrize("error", [GraderError("fix it"), AssignmentError("fix it"), BrokenExecutor("fix it")])
def test_an_appeal_that_cannot_be_graded_says_why(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JudgedAutograde, "appeal", Mock(side_effect=error))
    with pytest.raises(SystemExit, match=r"^fix it$"):
        main()


@pytest.mark.usefixtures("appealed")
def test_an_appeal_shows_each_notebook(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Anna has no mark in the gradebook yet."""
    result = NotebookResult([CellResult("test_add", [])], ["mended"], "no JSON")
    graded = {name: GradedNotebook("", result, set()) for name in ("one", "two")}
    monkeypatch.setattr(JudgedAutograde, "appeal", Mock(return_value=graded))
    main()
    lines = [
        "{}.ipynb  0 / 0  (le code de l'étudiant a tourné dans : none)", "! no JSON", "! mended", "",
        "test_add  0 / 0  ! le carnet de notes dit -",
    ]  # fmt: skip
    text = "\n".join(lines)
    assert capsys.readouterr().out == f"{text.format('one')}\n\n{text.format('two')}\n"


def test_a_student_cannot_forge_a_line_of_an_appeal() -> None:
    lie = "\x1b[2J\x1b[H\ntest_add  2 / 2"
    test = TestResult("test_it", 1, Text("C'est juste.", "It is right."), Verdict.ERROR, detail=lie, note=lie)
    test.asked = [f"call add(1) -> {lie}"]
    graded = GradedNotebook("", NotebookResult([CellResult("test_x", [test])], [lie], lie), set())
    assert sum("[2J" in line for line in account("small", graded, {"test_x": 0.0})) == 5, "each is shown, escaped"
    for line in account("small", graded, {"test_x": 0.0}):
        assert line.isprintable()
        assert not line.startswith("test_add")


def test_a_students_error_is_not_rendered_as_a_formula() -> None:
    """MathJax would let a student's error message draw over the marks."""
    cover = r"ValueError: $\smash{\raise 200px{\rule{900px}{500px}}}$ $$x$$ \(x\) \[x\] \begin{align}x\end{align} <b>"
    test = TestResult("test_it", 1, Text("C'est juste.", "It is right."), Verdict.ERROR, detail=cover)
    html = cell_html(CellResult("test_x", [test]))
    assert not re.search(r"\$[^<]|\\[^<]", html)
    assert cover in unescape(re.sub("</?span>", "", html))
