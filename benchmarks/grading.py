"""Grade a class with the kit and a sample of it with stock nbgrader, on this machine, in one run.

    python -m benchmarks.grading                                   # 100 students, 2 of them also with stock nbgrader
    python -m benchmarks.grading --stock 0 --sizes 10 100 1000     # is the cost per submission constant?

Both run ``nbgrader autograde`` on the same notebooks with the same hidden tests. The kit starts with an empty result
cache, and without trainings of students' models; the reference models are trained. Stock nbgrader runs each notebook as
it is, with all trainings. The program checks every mark that the kit gives.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

import nbformat
import psutil
from nbgrader.api import Gradebook

from course_lib.assignment.loader import load_notebook_spec
from course_lib.assignment.spec import NotebookSpec
from course_lib.cli.demo import ASSIGNMENT, make_course
from course_lib.cli.demo_class import ALL_POINTS, CLASS, OTHER_SPELLINGS, DemoStudent, fill, right_answers
from course_lib.cli.init import COURSE_FILES
from course_lib.execution.run_settings import cores
from course_lib.files import cache_folder
from course_lib.judge.annotate import METADATA
from course_lib.judge.task import trainings_folder

SHARES = {"perfect": 20, "other_spellings": 20, "partly_right": 15, "softmax_left_in": 10, "transposed_images": 5,
          "blank": 5, "syntax_error": 5, "deleted_test_cell": 5, "split_cell": 5, "endless_loop": 4, "kernel_dies": 4,
          "truncated_file": 2}  # fmt: skip
"""How many of a hundred students are in each situation."""

PLAIN = "c = get_config()\nc.CourseDirectory.course_id = 'deep_learning'\nc.ExecutePreprocessor.timeout = 3600\n"
"""The configuration of stock nbgrader."""


def a_class(spec: NotebookSpec, size: int) -> list[DemoStudent]:
    """Make a class in which no two notebooks are equal: each student writes another spelling and another comment."""
    by_name = {situation.name: situation for situation in CLASS}
    right = right_answers(spec)
    order = [name for name, share in SHARES.items() for _ in range(share)]
    random.Random(0).shuffle(order)

    def student(i: int) -> DemoStudent:
        situation, rng = by_name[order[i % len(order)]], random.Random(i)
        answers = dict(situation.answers(right))
        for name, answer in answers.items():
            spelled = rng.choice([answer, OTHER_SPELLINGS.get(name, answer)]) if answer == right[name] else answer
            answers[name] = f"{spelled}\n# {i}: {rng.random()}"
        return dataclasses.replace(situation, name=f"{i:04d} {situation.name}", answers=lambda _: answers)

    return [student(i) for i in range(size)]


def nbgrader(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a command in a course folder."""
    command = [sys.executable, "-m", "nbgrader", *arguments, "--log-level=ERROR"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.Popen(command, cwd=folder, env=environment)


@dataclasses.dataclass
class Measured:
    """The time and memory that a command used."""

    seconds: float
    tree: float
    """Peak memory of the command and the processes below it, in bytes; shared memory counts once."""
    command: float
    """Peak memory of the command's own process, in bytes."""


def measure(folder: Path, *arguments: str) -> Measured:
    """Run an nbgrader command and measure it."""
    began = time.perf_counter()
    process = nbgrader(folder, *arguments)
    peaks = {"tree": 0.0, "command": 0.0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(1):
            with contextlib.suppress(psutil.NoSuchProcess):
                command = psutil.Process(process.pid)
                used = sum(_memory(p) for p in [command, *command.children(recursive=True)])
                peaks["tree"] = max(peaks["tree"], used)
                peaks["command"] = max(peaks["command"], _memory(command))

    watching = threading.Thread(target=watch)
    watching.start()
    code = process.wait()
    seconds = time.perf_counter() - began
    done.set()
    watching.join()
    if code:
        raise SystemExit(f"nbgrader {' '.join(arguments)} failed in {folder}")
    return Measured(seconds, peaks["tree"], peaks["command"])


def _memory(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return float(process.memory_full_info().pss)
    return 0.0


def use_fresh_cache(folder: Path) -> None:
    """Use a cache without students' trainings; the trainings of the reference models stay in it."""
    shutil.copytree(cache_folder(), folder, ignore=shutil.ignore_patterns("code-*"))
    os.environ["COURSE_LIB_CACHE"] = str(folder)


def wrong_marks(folder: Path, students: list[DemoStudent]) -> list[str]:
    """Return the names of the students whose marks are wrong."""
    wrong = []
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        for student in students:
            submission = gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, student.name)
            marks = {grade.name: grade.auto_score for grade in submission.grades if grade.name in ALL_POINTS}
            if marks != student.marks:
                wrong.append(student.name)
    return wrong


def phases(folder: Path, students: list[DemoStudent]) -> dict[str, float]:
    """Return the seconds that the workers spent in each phase, added up over the class."""
    total: dict[str, float] = defaultdict(float)
    for student in students:
        path = folder / "autograded" / student.name / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        result = json.loads(path.read_text())["metadata"][METADATA]
        total["judge"] += result["seconds"] - sum(result["phases"].values())
        for name, value in result["phases"].items():
            total[name] += value
    return total


def by_kit(folder: Path, students: list[DemoStudent]) -> float:
    """Grade a class with the kit, twice; return the seconds for a submission in the first run."""
    make_course(folder, students)
    measure(folder, "generate_assignment", ASSIGNMENT)
    first = measure(folder, "autograde", ASSIGNMENT)
    again = measure(folder, "autograde", ASSIGNMENT)
    n, workers = len(students), cores()
    wrong = wrong_marks(folder, students)
    trained = len([path for path in trainings_folder().glob("code-*.safetensors") if path.stat().st_size])
    print(f"\nkit, {n} students: {first.seconds:.1f} s, {first.seconds / n:.2f} s for a submission")
    print(f"  right marks: {n - len(wrong)} of {n} {wrong or ''}")
    print(f"  models trained for students: {trained}")
    print(f"  run again, nothing changed: {again.seconds:.1f} s")
    print(f"  peak memory: {first.tree / workers / 1e9:.2f} GB for each of {workers} workers, with sandbox and kernel")
    print(f"  peak memory of the command itself: {first.command / 1e9:.2f} GB")
    spent = phases(folder, students)
    spent["command, start and end"] = max(0.0, first.seconds * workers - sum(spent.values()))
    for name, value in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"  {name:24} {value:7.1f} s of {workers} cores  {100 * value / sum(spent.values()):5.1f} %")
    return first.seconds / n


def by_stock(folder: Path, spec: NotebookSpec, students: list[DemoStudent]) -> float:
    """Grade a few students with stock nbgrader; return the seconds for a submission."""
    folder.mkdir()
    (folder / "nbgrader_config.py").write_text(PLAIN)
    for name in ("source", "grader_tests"):
        shutil.copytree(COURSE_FILES / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for student in students:
        target = folder / "submitted" / student.name / ASSIGNMENT
        target.mkdir(parents=True)
        (target / f"{ASSIGNMENT}.ipynb").write_bytes(fill(spec, student))
    measure(folder, "generate_assignment", ASSIGNMENT)
    measured = measure(folder, "autograde", ASSIGNMENT)
    print(f"\nstock nbgrader, {len(students)} students: {measured.seconds / len(students):.1f} s for a submission")
    for student in students:
        path = folder / "autograded" / student.name / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        failed = sum(any(o.output_type == "error" for o in cell.outputs) for cell in cells)
        print(f"  {student.name}: {failed} of {len(cells)} code cells failed")
    return measured.seconds / len(students)


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100], help="students in the class; several to compare")
    parser.add_argument("--stock", type=int, default=2, help="students whom stock nbgrader grades, too")
    arguments = parser.parse_args()
    spec = load_notebook_spec(
        COURSE_FILES / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", COURSE_FILES / "grader_tests" / ASSIGNMENT
    )
    print(f"{cores()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB of memory")
    costs = {}
    with tempfile.TemporaryDirectory() as name:
        by_kit(Path(name) / "warm-up", a_class(spec, 1))  # trains the reference models if they are not
        for size in arguments.sizes:
            use_fresh_cache(Path(name) / f"cache{size}")
            costs[size] = by_kit(Path(name) / f"kit{size}", a_class(spec, size))
        right = [s for s in a_class(spec, 100) if not s.lost][: arguments.stock]
        if right:
            stock = by_stock(Path(name) / "stock", spec, right)
            print(f"\nstock nbgrader takes {stock / costs[arguments.sizes[-1]]:.0f} times as long as the kit")


if __name__ == "__main__":
    main()
