"""Grade ordinary nbgrader assignments with the kit, and a sample of each class with stock nbgrader, in one run.

    python -m benchmarks.classic                          # two classes of 100, 6 students of each with stock nbgrader
    python -m benchmarks.classic --size 20 --stock 2

The assignments are ps1, from nbgrader's own user guide, with two notebooks, and one on tables and plots with pandas and
matplotlib. All notebooks of a class are different. The program checks that kit and stock nbgrader give every student of
the sample the same marks.
"""

import argparse
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import nbgrader
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.api import Gradebook
from nbgrader.utils import is_solution

from benchmarks.grading import PLAIN, measure
from course_lib.assignment.loader import load_assignment
from course_lib.assignment.spec import NotebookSpec
from course_lib.cli.init import copy_course_files

Marks = dict[tuple[str, str], float | None]
"""Automatic marks by notebook and grade cell."""


def ps1(source: Path) -> None:
    """The assignment of nbgrader's user guide."""
    guide = Path(nbgrader.__file__).parent / "docs" / "source" / "user_guide" / "source" / "ps1"
    shutil.copytree(guide, source / "ps1")


def _cell(name: str, code: str, points: float = 0) -> NotebookNode:
    meta = {"grade_id": name, "grade": points > 0, "solution": not points, "locked": points > 0, "task": False}
    meta |= {"schema_version": 3} | ({"points": points} if points else {})
    return new_code_cell(code, id=name, metadata={"nbgrader": meta})


def tables(source: Path) -> None:
    """An assignment on tables and plots, with a data file."""

    def solution(code: str) -> str:
        return f"### BEGIN SOLUTION\n{code}\n### END SOLUTION"

    cells = [
        new_code_cell("import matplotlib.pyplot as plt\nimport numpy as np\nimport pandas as pd", id="imports"),
        _cell("load", solution("def load(path):\n    return pd.read_csv(path)")),
        _cell(
            "test_load",
            "table = load('weather.csv')\nassert list(table.columns) == ['city', 'month', 'rain']\n"
            "### BEGIN HIDDEN TESTS\nassert len(table) == 120\n### END HIDDEN TESTS",
            1,
        ),
        _cell("means", solution("def means(table):\n    return table.groupby('city').rain.mean()")),
        _cell(
            "test_means",
            "found = means(load('weather.csv'))\nassert found.index.tolist() == sorted(found.index)\n"
            "### BEGIN HIDDEN TESTS\nsmall = pd.DataFrame({'city': ['b', 'a', 'b'], 'rain': [1.0, 5.0, 3.0]})\n"
            "np.testing.assert_allclose(means(small).to_numpy(), [5, 2])\n### END HIDDEN TESTS",
            2,
        ),
        _cell(
            "plot",
            solution(
                "def plot(table):\n    figure, axes = plt.subplots()\n    means(table).plot.bar(ax=axes)\n"
                "    axes.set_ylabel('rain (mm)')\n    return axes"
            ),
        ),
        _cell(
            "test_plot",
            "axes = plot(load('weather.csv'))\nassert axes.get_ylabel()\n"
            "### BEGIN HIDDEN TESTS\nassert len(axes.patches) == 10\n### END HIDDEN TESTS",
            1,
        ),
        _cell("parts", solution("def wettest(table):\n    return means(table).idxmax()")),
        _cell("test_parts", "0.5 + 0.5 * (wettest(load('weather.csv')) == 'city 3')", 1),
    ]
    python = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (source / "tables").mkdir()
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": python}), source / "tables" / "tables.ipynb")
    rng = random.Random(0)
    lines = [f"city {c},{m},{rng.uniform(20, 90) + 100 * (c == 3):.1f}" for c in range(10) for m in range(12)]
    (source / "tables" / "weather.csv").write_text("\n".join(["city,month,rain", *lines]) + "\n")


ASSIGNMENTS: dict[str, Callable[[Path], None]] = {"ps1": ps1, "tables": tables}


def answers(spec: NotebookSpec, student: int) -> NotebookNode:
    """A notebook of a student, like no other: some answers are missing, some of the others are wrong."""
    rng = random.Random(f"{spec.name} {student}")
    notebook, given = nbformat.from_dict(spec.solved), {cell.id: cell.source for cell in spec.skeleton.cells}
    notebook = nbformat.reads(nbformat.writes(notebook), as_version=4)
    for cell in notebook.cells:
        if is_solution(cell) and cell.cell_type == "code":
            fate = rng.random()
            if fate < 0.1:
                cell.source = given[cell.id]
            elif fate < 0.25:
                cell.source = cell.source.replace("return ", "return None and ")
            cell.source += f"\n# {student}: {rng.random()}"
    return notebook


def make_course(folder: Path, assignment: str, size: int) -> None:
    """A course with one assignment, and what each student handed in."""
    (folder / "source").mkdir(parents=True)
    ASSIGNMENTS[assignment](folder / "source")
    for spec in load_assignment(folder / "source" / assignment, folder / "grader_tests" / assignment):
        for student in range(size):
            target = folder / "submitted" / f"{student:03d}" / assignment
            target.mkdir(parents=True, exist_ok=True)
            nbformat.write(answers(spec, student), target / f"{spec.name}.ipynb")


def marks(folder: Path, assignment: str) -> dict[str, Marks]:
    """The automatic marks in the gradebook by student."""
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        return {
            submission.student.id: {(n.name, g.name): g.auto_score for n in submission.notebooks for g in n.grades}
            for submission in gradebook.assignment_submissions(assignment)
        }


def compare(folder: Path, assignment: str, size: int, stock: int) -> list[str]:
    """Grade a class twice and print the times; return the students of the sample with different marks."""
    make_course(folder / "kit", assignment, size)
    shutil.copytree(folder / "kit", folder / "stock")
    copy_course_files(folder / "kit")
    (folder / "stock" / "nbgrader_config.py").write_text(PLAIN)
    for student in range(stock, size):
        shutil.rmtree(folder / "stock" / "submitted" / f"{student:03d}")
    for kind in ("kit", "stock"):
        measure(folder / kind, "generate_assignment", assignment)
    kit = measure(folder / "kit", "autograde", assignment)
    each = kit.seconds / size
    print(f"\n{assignment}, kit, {size} students: {kit.seconds:.1f} s, {each:.3f} s for a submission; ", end="")
    print(f"{(kit.tree - kit.command) / 2**30:.2f} GB of workers, {kit.command / 2**30:.2f} GB of the command")
    if not stock:
        return []
    plain = measure(folder / "stock", "autograde", assignment)
    print(f"{assignment}, stock nbgrader, {stock} students: {plain.seconds / stock:.2f} s for a submission: ", end="")
    print(f"the kit is {plain.seconds / stock / each:.1f} times as fast")
    ours, theirs = (marks(folder / kind, assignment) for kind in ("kit", "stock"))
    return [student for student in theirs if ours[student] != theirs[student]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100, help="students in a class (default: %(default)s)")
    parser.add_argument("--stock", type=int, default=6, help="students to grade with stock nbgrader (%(default)s)")
    parser.add_argument("--only", choices=ASSIGNMENTS, help="one assignment")
    options = parser.parse_args(arguments)
    different = []
    with tempfile.TemporaryDirectory() as folder:
        for assignment in [options.only] if options.only else ASSIGNMENTS:
            found = compare(Path(folder, assignment), assignment, options.size, options.stock)
            different += [f"{assignment}: {student}" for student in found]
    if different:
        raise SystemExit(f"other marks than stock nbgrader: {', '.join(different)}")
    print("\nThe sample has the same marks with both.")


if __name__ == "__main__":
    main()
