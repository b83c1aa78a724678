"""The `course` command: help, errors in one line, and a doctor who finds what is wrong."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from sqlalchemy import make_url

from course_lib.authoring.errors import AssignmentError
from course_lib.cli import doctor
from course_lib.cli.__main__ import COMMANDS, main
from course_lib.cli.demo import make_course
from course_lib.cli.new import make_assignment

BIN = Path(sys.executable).parent
"""Of this Python's environment, with the command itself."""


@pytest.fixture
def course(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[object, str]]:
    """Runs the command in this process: its exit status or what it says at the end, and what it prints."""

    def run(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["course", *arguments])
        status: object = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        return status, capsys.readouterr().out

    return run


def test_help_names_every_command(course: Callable[..., tuple[object, str]]) -> None:
    status, shown = course()
    assert status == 0
    for name, says in COMMANDS.items():
        assert name in shown
        assert says in shown
        status, own = course(name, "--help")
        assert status == 0
        assert f"usage: course {name}" in own


def test_help_waits_for_no_import() -> None:
    """Torch, torchvision and matplotlib take three seconds."""
    code = "import course_lib.cli.__main__ as c, sys; c.main(); print({'torch', 'matplotlib'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.endswith("set()\n")


def test_who_reads_the_first_line_only_gets_no_error() -> None:
    code = (
        "import sys, types, course_lib.cli.__main__ as c\n"
        "sys.modules['course_lib.execution.result_cache'] = types.SimpleNamespace(main=lambda: print('line\\n' * 100_000))\n"
        "sys.argv = ['course', 'store']\nc.main()"
    )
    command = f'"{sys.executable}" -c "$0" | head -1'
    run = subprocess.run(["bash", "-c", command, code], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("line\n", "")


def test_an_error_is_one_line(course: Callable[..., tuple[object, str]], tmp_path: Path) -> None:
    assert course("docter")[0] == "course: there is no command 'docter'. There are: doctor, new, appeal, store, demo."
    (tmp_path / "file").write_text("")
    status, _ = course("demo", str(tmp_path / "file" / "demo"))
    assert str(status).startswith("course demo: NotADirectoryError")
    assert "\n" not in str(status)
    with pytest.raises(NotADirectoryError):
        course("--debug", "demo", str(tmp_path / "file" / "demo"))


def test_the_doctor_finds_this_project_well(root: Path) -> None:
    shown = subprocess.run([BIN / "course", "doctor"], cwd=root, capture_output=True, text=True, check=False)
    assert "✗" not in shown.stdout, shown.stdout
    assert shown.returncode == 0
    assert "✓ assignment mnist1: 14 grade cells, 20 points" in shown.stdout


def findings() -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.examine()}


def test_the_doctor_sees_a_folder_that_nbgrader_takes_for_a_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "M1%20[2026]"
    folder.mkdir()
    (folder / "nbgrader_config.py").write_text("")
    monkeypatch.chdir(folder)
    found = findings()["course"]
    assert "has % [ ] in its path" in found.says
    assert "rename" in found.mend


def test_the_doctor_says_how_to_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "course's folder" in findings()["course"].mend
    (tmp_path / "nbgrader_config.py").write_text("")
    source = tmp_path / "source" / "new" / "new.ipynb"
    source.parent.mkdir(parents=True)
    source.write_text("{")
    (tmp_path / "gradebook.db").write_text("no database")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("COURSE_LIB_CACHE", "/proc/no/such/folder")
    versions = {"torch": "1.0", "numpy": "99.0rc1", "pytest": "99.0rc1"}

    def version(name: str) -> str:
        if name in ("nh3", "selenium"):  # the second is for the kit's own tests
            raise PackageNotFoundError(name)
        return versions.get(name, "99")

    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setattr(doctor, "DISK", 10**18)
    monkeypatch.setattr(doctor, "WORKER", 10**15)
    found = findings()
    assert found["torch"].mend == "pip install 'torch==2.13.0'"
    assert found["nh3"].mend == "pip install 'nh3>=0.3'"
    assert not {"selenium", "numpy", "pytest"} & set(found)
    assert "sudo apt install bubblewrap" in found["sandbox"].says + found["sandbox"].mend
    assert "COURSE_LIB_CACHE" in found["MNIST"].mend
    assert "new.ipynb" in found["assignment new"].mend
    assert f"restore {tmp_path / 'gradebook.db'}" in found["gradebook"].mend
    assert "\n" not in found["gradebook"].says
    assert "Make room" in found["disk of course"].mend
    assert "workers = 1" in found["memory"].mend


def test_the_doctor_reads_assignments_as_autograde_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nbgrader_config.py").write_text("")
    for name in ("points", "syntax", "ids", "stray"):
        make_assignment(tmp_path, name)
    tests = tmp_path / "grader_tests" / "points" / "test_mse.py"
    tests.write_text(tests.read_text().replace("@hidden_test(", "@hidden_test(10 + ", 1))
    (tmp_path / "grader_tests" / "syntax" / "test_mse.py").write_text("def test(\n")
    source = tmp_path / "source" / "ids"
    shutil.copy(source / "ids.ipynb", source / "again.ipynb")
    for name in ("test_mes.py", "test_data.csv"):
        (tmp_path / "grader_tests" / "stray" / name).write_text("")
    found = findings()
    assert "add up to" in found["assignment points"].mend
    assert "SyntaxError" in found["assignment syntax"].mend
    assert "several notebooks have cells" in found["assignment ids"].mend
    assert "test_mes.py: no grade cell is called so" in found["assignment stray"].mend
    assert "test_data" not in found["assignment stray"].mend


@pytest.mark.usefixtures("alembic")
def test_the_doctor_notices_a_locked_gradebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nbgrader_config.py").write_text("")
    with doctor.Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}"):
        pass
    assert "0 students" in findings()["gradebook"].says
    lock = sqlite3.connect(tmp_path / "gradebook.db")
    lock.execute("begin exclusive")
    assert "formgrader" in findings()["gradebook"].mend
    lock.close()


def test_the_doctor_reads_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join([str(BIN), os.environ["PATH"]]))
    config = tmp_path / "nbgrader_config.py"
    config.write_text("c = get_config()\nc.CourseDirectory.db_url = 'sqlite:///elsewhere.db'\n")
    assert "none yet" in findings()["gradebook"].says
    with doctor.Gradebook("sqlite:///elsewhere.db") as gradebook:
        gradebook.add_student("anna")
    assert "1 students" in findings()["gradebook"].says
    config.write_text("c = get_config(\n")
    assert "nbgrader_config.py: SyntaxError" in findings()["course"].says


def test_the_doctor_shows_no_password() -> None:
    found = doctor._gradebook(make_url("postgresql+nothing://anna:secret@localhost/marks"))
    assert "anna:***@localhost/marks" in found.mend
    assert "secret" not in found.says + found.mend


def test_the_doctor_ends_badly_with_anything_to_mend_and_never_falls_ill(
    course: Callable[..., tuple[object, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_packages", "_computing", "_sandbox", "_data", "_course"):
        monkeypatch.setattr(doctor, name, lambda: iter([doctor.Finding("all", "fine")]))
    assert course("doctor")[0] == 0

    def fails() -> None:
        raise ValueError("odd")

    fails.__name__ = "_packages"
    monkeypatch.setattr(doctor, "_packages", fails)
    status, shown = course("doctor")
    assert status == 1, "though the last that was looked at is fine"
    assert "✗ packages: ValueError: odd\n    This should not happen: please report it" in shown
    assert shown.endswith("✓ all: fine\n")


def test_the_demo_replaces_nothing_but_a_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    course = tmp_path / "course"
    course.mkdir()
    (course / "gradebook.db").write_text("marks")
    with pytest.raises(AssignmentError, match="no earlier demo"):
        make_course(course, [])
    assert (course / "gradebook.db").read_text() == "marks"
    demo = tmp_path / "demo"
    demo.mkdir()
    for _ in range(2):
        make_course(demo, [])
    monkeypatch.chdir(demo)
    with pytest.raises(AssignmentError, match="no earlier demo"):
        make_course(Path.cwd(), [])
    assert (demo / "source").is_dir()
