"""The `course` command: help, one-line errors, new courses, and a doctor that finds what is wrong."""

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from textwrap import dedent

import nbformat
import nbgrader
import pytest
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory

from course_lib.assignment.release import PREPROCESSORS
from course_lib.cli import doctor, doctor_course, doctor_machine
from course_lib.cli.__main__ import COMMANDS, main
from course_lib.cli.demo import make_course
from course_lib.cli.doctor_course import gradebook_finding
from course_lib.cli.doctor_machine import Finding
from course_lib.cli.new import make_assignment
from course_lib.cli.open_course import Course, open_course
from course_lib.results.errors import AssignmentError
from tests.support import tiny_course
from tests.support.courses import configure

BIN = Path(sys.executable).parent
"""The programs of this Python environment."""

Run = Callable[..., tuple[object, str]]


@pytest.fixture
def course(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process; its exit status or last message, and what it prints."""

    def run(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["course", *arguments])
        status: object = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        shown = capsys.readouterr()
        return status, shown.out + shown.err

    return run


def test_help_names_every_command(course: Run) -> None:
    status, shown = course()
    assert status == 0
    for name, summary in COMMANDS.items():
        assert name in shown
        assert summary in " ".join(shown.split())
        status, own = course(name, "--help")
        assert status == 0
        assert f"usage: course {name}" in own


def test_help_imports_no_large_package() -> None:
    """They take seconds."""
    code = """
        import sys
        import course_lib.cli.__main__ as command
        command.main()
        print({"torch", "matplotlib", "nbgrader", "nbformat"} & {*sys.modules})
    """
    run = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=True)
    assert run.stdout.endswith("set()\n")


def test_a_reader_may_close_the_pipe() -> None:
    code = """
        import sys, types
        import course_lib.cli.__main__ as command
        printing = types.SimpleNamespace(add_arguments=lambda parser: None, run=lambda _: print("line\\n" * 100_000))
        sys.modules["course_lib.cli.cache"] = printing
        sys.argv = ["course", "cache"]
        command.main()
    """
    shell = f'"{sys.executable}" -c "$0" | head -1'
    run = subprocess.run(["bash", "-c", shell, dedent(code)], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("line\n", "")


def test_an_error_is_one_line(course: Run, tmp_path: Path) -> None:
    status, shown = course("docter")
    assert status == 2
    assert shown.splitlines()[-1].startswith("course: error: argument COMMAND: invalid choice: 'docter'")
    (tmp_path / "file").write_text("")
    status, _ = course("demo", str(tmp_path / "file" / "demo"))
    assert str(status).startswith("course demo: NotADirectoryError")
    assert "\n" not in str(status)
    with pytest.raises(NotADirectoryError):
        course("--debug", "demo", str(tmp_path / "file" / "demo"))


# -- course init, course demo -------------------------------------------------------------------------------------------


def test_init_makes_a_course_that_new_can_extend(course: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, shown = course("init", "mine")
    assert status == 0
    assert "cd mine\n    course new exercise1 " in shown
    found = {path.name for path in (tmp_path / "mine").iterdir()}
    configuration = {"nbgrader_config.py", "nbgrader_config.json"}
    assert found == configuration | {"source", "grader_tests", "release", "submitted", "autograded", "feedback"}
    monkeypatch.chdir("mine")
    assert course("new", "exercise1")[0] == 0
    assert (tmp_path / "mine" / "source" / "exercise1" / "exercise1.ipynb").exists()


def test_init_copies_the_example(course: Run, root: Path, tmp_path: Path) -> None:
    status, shown = course("init", str(tmp_path), "--example", "mnist1")
    assert status == 0
    assert "nbgrader generate_assignment mnist1" in shown
    assert "course new" not in shown
    for name in ("source/mnist1/mnist1.ipynb", "grader_tests/mnist1/thresholds.json", "nbgrader_config.json"):
        assert (tmp_path / name).read_bytes() == (root / name).read_bytes()
    status, shown = course("init", str(tmp_path / "other"), "--example", "mnist2")
    assert status == 2
    assert "invalid choice: 'mnist2'" in shown


@pytest.mark.parametrize("there", ["nbgrader_config.json", "source/mnist1", "feedback", "."])
def test_init_overwrites_nothing(course: Run, tmp_path: Path, there: str) -> None:
    folder = tmp_path / "course"
    (folder / there).parent.mkdir(parents=True, exist_ok=True)
    (folder / there).write_text("mine")
    status, _ = course("init", str(folder), "--example", "mnist1")
    assert str(status).startswith(f"course init: {folder / there} ")
    assert "Nothing was written" in str(status)
    assert (folder / there).read_text() == "mine"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [folder / there]


def test_init_refuses_a_path_that_is_a_pattern(course: Run, tmp_path: Path) -> None:
    status, _ = course("init", str(tmp_path / "M1 [2026]"))
    assert "has [ ] in its path" in str(status)
    assert list(tmp_path.iterdir()) == []


def test_the_demo_replaces_only_a_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    course = tmp_path / "course"
    course.mkdir()
    (course / "gradebook.db").write_text("marks")
    with pytest.raises(AssignmentError, match="is not an earlier demo"):
        make_course(course, [])
    assert (course / "gradebook.db").read_text() == "marks"
    demo = tmp_path / "demo"
    demo.mkdir()
    for _ in range(2):
        make_course(demo, [])
    monkeypatch.chdir(demo)
    with pytest.raises(AssignmentError, match="is not an earlier demo"):
        make_course(Path.cwd(), [])
    assert (demo / "source").is_dir()


# -- course doctor ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course folder without assignments, which is the current folder."""
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def opened() -> Course:
    course = open_course()
    assert isinstance(course, Course), course
    return course


def by_name(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.what: finding for finding in findings}


def assignments() -> dict[str, Finding]:
    return by_name(doctor_course.check_assignments(opened()))


def test_the_doctor_is_content_with_this_project(root: Path) -> None:
    shown = subprocess.run([BIN / "course", "doctor"], cwd=root, capture_output=True, text=True, check=False)
    assert "✗" not in shown.stdout, shown.stdout
    assert shown.returncode == 0
    assert "✓ kernel: a notebook ran in a worker process" in shown.stdout
    assert "✓ assignment mnist1: 14 grade cells, 20 points" in shown.stdout


def test_the_doctor_needs_a_course_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = open_course()
    assert isinstance(found, Finding)
    assert "course init" in found.fix
    folder = tmp_path / "M1%20[2026]"
    folder.mkdir()
    (folder / "nbgrader_config.py").write_text("")
    monkeypatch.chdir(folder)
    found = open_course()
    assert isinstance(found, Finding)
    assert "has % [ ] in its path" in found.says
    assert "Rename" in found.fix


def test_the_doctor_compares_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"torch": "1.0", "numpy": "99.0rc1", "pytest": "99.0rc1"}

    def version(name: str) -> str:
        if name in ("nh3", "selenium"):  # selenium is only for the kit's own tests
            raise PackageNotFoundError(name)
        return versions.get(name, "99")

    monkeypatch.setattr(doctor_machine, "version", version)
    found = by_name(doctor_machine.check_packages())
    assert found["torch"].fix == "pip install 'torch==2.13.0'"
    assert found["nh3"].fix == "pip install 'nh3>=0.3'"
    assert not {"selenium", "numpy", "pytest"} & set(found)


def test_the_doctor_says_how_to_get_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_LIB_CACHE", "/proc/no/such/folder")
    monkeypatch.setattr(doctor_machine, "MIN_FREE_DISK", 10**18)
    monkeypatch.setattr(doctor_machine, "WORKER_MEMORY", 10**15)
    data, computing = by_name(doctor_machine.check_data()), by_name(doctor_machine.check_computing())
    assert "COURSE_LIB_CACHE" in data["MNIST"].fix
    assert "Make room" in data["course disk"].fix
    assert "workers = 1" in computing["memory"].fix


def test_the_doctor_tries_the_settings(folder: Path) -> None:
    [found] = doctor_course.check_settings(opened())
    assert found.fix == ""
    configure(folder, "c.JudgedAutograde.limits = {'cel': 1}", "c.JudgedAutograde.device = 'tpu'")
    [found] = doctor_course.check_settings(opened())
    assert "c.JudgedAutograde.limits: 'cel' is unknown" in found.fix
    assert "c.JudgedAutograde.device: 'tpu' is not one of" in found.fix
    configure(folder, "c.JudgedAutograde.workers = 'two'")
    wrong = open_course()
    assert isinstance(wrong, Finding)
    assert "'workers' trait" in wrong.says
    configure(folder, "c = get_config(")
    wrong = open_course()
    assert isinstance(wrong, Finding)
    assert "nbgrader_config.py: SyntaxError" in wrong.says


def test_the_doctor_tries_the_sandbox(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [found] = doctor_course.check_sandbox(opened())
    assert found.fix == ""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "prefix", str(folder.parent))
        [found] = doctor_course.check_sandbox(opened())
        assert f"{folder} can be read by students' code" in found.says
        assert "Move" in found.fix
    monkeypatch.setenv("PATH", str(folder))
    for course in (opened(), None):
        [found] = doctor_course.check_sandbox(course)
        assert "sudo apt install bubblewrap" in found.says
    configure(folder, "c.JudgedAutograde.protection = 'none'")
    [found] = doctor_course.check_sandbox(opened())
    assert found.says.startswith("not used")


def test_the_doctor_runs_a_notebook(folder: Path) -> None:
    [found] = doctor_course.check_kernel(opened())
    assert (found.what, found.fix) == ("kernel", "")
    configure(folder, "c.JudgedAutograde.limits = {'start': 0.01}")
    [found] = doctor_course.check_kernel(opened())
    assert "The sandbox does not answer" in found.fix


def test_the_doctor_tries_the_cluster(folder: Path) -> None:
    configure(folder, "c.JudgedAutograde.scheduler = 'scheduler.json'")
    [found] = doctor_course.check_kernel(opened())
    assert found.what == "cluster"
    assert "No Dask scheduler answers at scheduler.json" in found.fix


def test_the_doctor_reads_assignments_as_autograde_does(folder: Path) -> None:
    for name in ("points", "syntax", "ids", "stray"):
        make_assignment(folder, name)
    tests = folder / "grader_tests" / "points" / "test_mse.py"
    tests.write_text(tests.read_text().replace("@hidden_test(", "@hidden_test(10 + ", 1))
    (folder / "grader_tests" / "syntax" / "test_mse.py").write_text("def test(\n")
    source = folder / "source" / "ids"
    shutil.copy(source / "ids.ipynb", source / "again.ipynb")
    (folder / "source" / "broken").mkdir()
    (folder / "source" / "broken" / "new.ipynb").write_text("{")
    for name in ("test_mes.py", "test_data.csv"):
        (folder / "grader_tests" / "stray" / name).write_text("")
    found = assignments()
    assert "add up to" in found["assignment points"].fix
    assert "SyntaxError" in found["assignment syntax"].fix
    assert "several notebooks have a cell" in found["assignment ids"].fix
    assert "new.ipynb" in found["assignment broken"].fix
    assert "test_mes.py: no grade cell has this name" in found["assignment stray"].fix
    assert "test_data" not in found["assignment stray"].fix


def test_the_doctor_compares_source_and_gradebook(folder: Path) -> None:
    tiny_course.make_source(folder)
    assert "run 'nbgrader generate_assignment tiny'" in assignments()["assignment tiny"].says
    tiny_course.release(folder)
    found = assignments()["assignment tiny"]
    assert (found.says, found.fix) == ("2 grade cells, 3 points", "")
    path = folder / "source" / "tiny" / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "mean" not in cell.id]
    nbformat.write(notebook, path)
    found = assignments()["assignment tiny"]
    assert "The cells in the gradebook differ from those of tiny/tiny.ipynb" in found.fix
    assert "generate_assignment tiny --force" in found.fix
    path.rename(path.with_name("other.ipynb"))
    assert "The notebooks of tiny in the gradebook differ" in assignments()["assignment tiny"].fix


@pytest.mark.usefixtures("alembic")
def test_the_doctor_reads_and_locks_the_gradebook(folder: Path) -> None:
    gradebook = folder / "elsewhere.db"
    configure(folder, "c.CourseDirectory.db_url = 'sqlite:///elsewhere.db'")
    assert "none yet" in assignments()["gradebook"].says
    with Gradebook(f"sqlite:///{gradebook}") as opened_gradebook:
        opened_gradebook.add_student("anna")
    assert "1 students" in assignments()["gradebook"].says
    lock = sqlite3.connect(gradebook)
    lock.execute("begin exclusive")
    assert "formgrader" in assignments()["gradebook"].fix
    lock.close()
    gradebook.write_text("no database")
    found = assignments()["gradebook"]
    assert "restore elsewhere.db" in found.fix
    assert "\n" not in found.says


def test_the_doctor_shows_no_password() -> None:
    url = "postgresql+nothing://anna:secret@localhost/marks"
    found, _ = gradebook_finding(CourseDirectory(db_url=url))
    assert "anna:***@localhost/marks" in found.fix
    assert "secret" not in found.says + found.fix


def test_the_doctor_goes_on_after_an_error(course: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check_packages() -> Iterator[Finding]:
        raise ValueError("odd")

    def check_all(*_: object) -> Iterator[Finding]:
        yield Finding("all", "fine")

    monkeypatch.setattr(doctor, "COURSE_CHECKS", [check_all])
    monkeypatch.setattr(doctor, "MACHINE_CHECKS", [check_all])
    assert course("doctor") == (0, "✓ all: fine\n✓ all: fine\n")
    monkeypatch.setattr(doctor, "MACHINE_CHECKS", [check_packages])
    status, shown = course("doctor")
    assert status == 1, "although the last check found nothing wrong"
    assert "✗ packages: ValueError: odd\n    This should not happen. Please report it" in shown
    assert shown.endswith("✓ all: fine\n")


@pytest.fixture
def ps1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alembic: None) -> Path:
    """A course with the assignment of nbgrader's user guide, and no configuration of the kit."""
    guide = Path(nbgrader.__file__).parent / "docs" / "source" / "user_guide" / "source" / "ps1"
    shutil.copytree(guide, tmp_path / "source" / "ps1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_adopt_says_how_each_cell_is_graded(course: Run, ps1: Path) -> None:
    status, shown = course("adopt", ".")
    assert status == 0
    assert "problem1.ipynb: 4 classic, 3 manual" in shown
    assert re.search(r"sum_of_squares_uses_squares +0.5 points classic", shown)
    assert re.search(r"part-a +1 point +manual", shown)
    assert "Wrote nbgrader_config.py and nbgrader_config.json" in shown
    assert isinstance(open_course(), Course)
    before = {path: path.read_bytes() for path in ps1.rglob("*") if path.is_file()}
    assert "nbgrader_config.py has what the kit needs" in course("adopt", ".")[1]
    assert before == {path: path.read_bytes() for path in ps1.rglob("*") if path.is_file()}


def test_adopt_leaves_a_configuration_alone(course: Run, ps1: Path) -> None:
    own = "c = get_config()\nc.CourseDirectory.course_id = 'mine'\n"
    (ps1 / "nbgrader_config.py").write_text(own)
    status, shown = course("adopt", ".")
    assert status == 0
    assert (ps1 / "nbgrader_config.py").read_text() == own
    assert not (ps1 / "nbgrader_config.json").exists(), "it would stop nbgrader"
    [_, lines] = shown.split("then run this command again:\n\n")
    (ps1 / "nbgrader_config.py").write_text(own + lines.split("\n\nUntil then")[0])
    assert "Wrote nbgrader_config.json" in course("adopt", ".")[1]
    found = open_course()
    assert isinstance(found, Course)
    assert found.coursedir.course_id == "mine"
    assert found.app.config.GenerateAssignment.preprocessors == PREPROCESSORS


def test_adopt_names_what_cannot_be_graded(course: Run, ps1: Path) -> None:
    path = ps1 / "source" / "ps1" / "problem2.ipynb"
    path.write_text(path.read_text().replace('"python"', '"R"'))
    _, shown = course("adopt", ".")
    assert "✗ problem2.ipynb: cannot be graded. the language of its kernel is 'R'" in shown
    assert "problem1.ipynb: 4 classic" in shown
    status, _ = course("adopt", "source")
    assert "is not a course" in str(status)


@pytest.mark.long
def test_harden_keeps_the_drafts_that_work(course: Run, ps1: Path) -> None:
    course("adopt", ".")
    status, shown = course("harden", "ps1")
    assert status == 0, shown
    drafted = {path.stem for path in (ps1 / "grader_tests" / "ps1").glob("*.py")}
    assert drafted == {"correct_squares", "correct_sum_of_squares", "squares_invalid_input"}
    assert "sum_of_squares_uses_squares: stays classic" in shown
    assert "3 judged, 1 classic, 3 manual" in course("adopt", ".")[1]
    opened = open_course()
    assert isinstance(opened, Course)
    says = " ".join(found.says for found in doctor_course.check_assignments(opened))
    assert "tested by their own code, which can be forged: sum_of_squares_uses_squares" in says
