"""The `course` command: help, errors in one line, and a doctor who finds what is wrong."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from course_lib.grading import doctor
from course_lib.grading.__main__ import COMMANDS


def course(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "course_lib.grading", *arguments]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_help_names_every_command(tmp_path: Path) -> None:
    shown = course(tmp_path)
    assert shown.returncode == 0
    for name, says in COMMANDS.items():
        assert name in shown.stdout
        assert says in shown.stdout
        own = course(tmp_path, name, "--help")
        assert own.returncode == 0
        assert f"usage: course {name}" in own.stdout


def test_an_error_is_one_line(tmp_path: Path) -> None:
    unknown = course(tmp_path, "docter")
    assert unknown.returncode == 1
    assert unknown.stderr == "course: there is no command 'docter'. There are: doctor, appeal, store, demo.\n"
    (tmp_path / "file").write_text("")
    broken = course(tmp_path, "demo", str(tmp_path / "file" / "demo"))
    assert broken.returncode == 1
    assert broken.stderr.startswith("course demo: NotADirectoryError")
    assert len(broken.stderr.splitlines()) == 1
    assert "Traceback" in course(tmp_path, "--debug", "demo", str(tmp_path / "file" / "demo")).stderr


def test_the_doctor_finds_this_project_well(root: Path) -> None:
    shown = course(root, "doctor")
    assert "✗" not in shown.stdout, shown.stdout
    assert shown.returncode == 0
    assert "✓ assignment mnist1: 14 grade cells, 20 points" in shown.stdout


def findings() -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.examine()}


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
    monkeypatch.setattr(doctor, "version", lambda name: "1.0" if name == "torch" else "99")
    monkeypatch.setattr(doctor, "DISK", 10**18)
    monkeypatch.setattr(doctor, "WORKER", 10**15)
    found = findings()
    assert found["torch"].mend == "pip install 'torch==2.13.0'"
    assert "sudo apt install bubblewrap" in found["sandbox"].says + found["sandbox"].mend
    assert "COURSE_LIB_CACHE" in found["MNIST"].mend
    assert "new.ipynb" in found["assignment new"].mend
    assert "restore gradebook.db" in found["gradebook"].mend
    assert "Make room" in found["disk of course"].mend
    assert "workers = 1" in found["memory"].mend


def test_the_doctor_notices_a_locked_gradebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))  # has alembic
    (tmp_path / "nbgrader_config.py").write_text("")
    with doctor.Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}"):
        pass
    assert "0 students" in findings()["gradebook"].says
    lock = sqlite3.connect(tmp_path / "gradebook.db")
    lock.execute("begin exclusive")
    assert "formgrader" in findings()["gradebook"].mend
    lock.close()
