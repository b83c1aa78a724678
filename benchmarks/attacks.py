"""Grade the attacks and accidents from ``tests/support`` with stock nbgrader and with the kit, side by side.

    python -m benchmarks.attacks

Both run ``nbgrader autograde`` on the same submissions. Stock nbgrader gets one submission at a time, because one may
stop the whole command. It would run the attacks as your user, so it runs inside a sandbox here, with its own course
folder and home.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nbgrader.api import Gradebook

from tests.support.accidents import accidents
from tests.support.attacks import about, attacks
from tests.support.tiny_course import HONEST, hand_in, make_course, make_source

LIMITS: dict[str, float] = {"cell": 6, "question": 3, "submission": 60, "memory": 2**30, "tasks": 100, "output": 2**20}
STUDENT = "student"


def marks(folder: Path, student: str) -> dict[str, float]:
    """Return the automatic marks of a student."""
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        submission = gradebook.find_submission_notebook("tiny", "tiny", student)
        return {g.name: (g.auto_score or 0.0) + (g.extra_credit or 0.0) for g in submission.grades}


def _run(folder: Path, *command: str, inside: bool) -> bool:
    shell = [sys.executable, "-m", "nbgrader", *command, "--log-level=CRITICAL"]
    home = folder / "home"
    home.mkdir(exist_ok=True)
    if inside:
        tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        shell = [
            *("bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
            *("--tmpfs", "/tmp", "--bind", str(folder), str(folder), "--setenv", "HOME", str(home)),
            *("--setenv", "PATH", tools, "--chdir", str(folder), "timeout", "120", *shell),
        ]
    run = subprocess.run(shell, cwd=folder, capture_output=True, check=False)
    return run.returncode == 0


def stock(template: Path, content: bytes) -> dict[str, float] | None:
    """Grade a submission with stock nbgrader in a copy of a released course; None if it stops without a mark."""
    with tempfile.TemporaryDirectory(dir=template.parent) as name:
        folder = Path(shutil.copytree(template, Path(name) / "course"))
        hand_in(folder, STUDENT, content)
        _run(folder, "autograde", "tiny", "--create", "--ExecutePreprocessor.timeout=10", inside=True)
        try:
            return marks(folder, STUDENT)
        except Exception:  # no submission in the gradebook, or no gradebook
            return None


def kit(submissions: dict[str, bytes], classic: bool = False) -> dict[str, dict[str, float]]:
    """Grade submissions with the kit; return the marks of each.

    Args:
        submissions: what each student hands in.
        classic: whether the tests are in the cells, as with stock nbgrader.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "course"
        make_course(folder, LIMITS, classic=classic)
        for student, content in submissions.items():
            hand_in(folder, student, content)
        for command in ("generate_assignment", "autograde"):
            if not _run(folder, command, "tiny", inside=False):
                raise SystemExit(f"nbgrader {command} failed with the kit")
        return {student: marks(folder, student) for student in submissions}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", help="names of attacks or accidents; all by default")
    chosen: list[str] | None = parser.parse_args().only
    all_of_them = {"attack": attacks(), "accident": accidents()}
    table = [(kind, name, content) for kind, found in all_of_them.items() for name, content in found.items()]
    table = [row for row in table if chosen is None or row[1] in chosen]
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder, ThreadPoolExecutor(os.cpu_count()) as threads:
        template = Path(folder) / "template"
        make_source(template, stock=True)
        _run(template, "generate_assignment", "tiny", inside=True)
        graded = threads.map(lambda row: stock(template, row[2]), table)
        by_stock = dict(zip([row[1] for row in table], graded, strict=True))
    submissions = {name: content for _, name, content in table}
    by_kit, by_classic = kit(submissions), kit(submissions, classic=True)
    print(f"{'attack':26} {'stock':>7} {'classic':>7} {'kit':>5}   what it does")
    paying = {"stock": 0, "classic": 0, "kit": 0}
    for kind, name, _ in table:
        if kind != "attack":
            continue
        marks_of = (by_stock[name], by_classic[name], by_kit[name])
        scores = [None if found is None else found.get("test_add", 0.0) for found in marks_of]
        for grader, score in zip(paying, scores, strict=True):
            paying[grader] += bool(score)
        shown = ["stopped" if score is None else f"{score:g}" for score in scores]
        print(f"{name:26} {shown[0]:>7} {shown[1]:>7} {shown[2]:>5}   {about(name)}")
    counts = ", ".join(f"{count} {grader}" for grader, count in paying.items())
    print(f"\nAttacks that pay: {counts}. 'classic' is the kit with the tests in the cells.\n")
    full = sum(HONEST.values())
    print(f"{'accident, all answers right':26} {'stock':>7} {'classic':>7} {'kit':>5}   of {full:g} points")
    for kind, name, _ in table:
        if kind == "accident":
            marks_of = (by_stock[name], by_classic[name], by_kit[name])
            shown = ["stopped" if f is None else f"{sum(f.values()):g}" for f in marks_of]
            print(f"{name:26} {shown[0]:>7} {shown[1]:>7} {shown[2]:>5}")


if __name__ == "__main__":
    main()
