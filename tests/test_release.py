"""Students get the notebook without answers, the student half of course_lib beside it, and nothing else."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from copy import deepcopy
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_lib.assignment.release import AddStudentLibrary, release_notebook
from course_lib.assignment.spec import NotebookSpec
from course_lib.cli.demo_class import ALL_POINTS, right_answers
from course_lib.mnist1_exercise import EXERCISE
from tests.support.courses import find, nbgrader

GIVEN_LINES = {"x = F.relu(x)"}


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """The folder that the real command writes."""
    course = tmp_path_factory.mktemp("release")
    shutil.copy(root / "nbgrader_config.py", course)
    shutil.copytree(root / "source", course / "source")
    run = nbgrader(course, "generate_assignment", "mnist1")
    assert run.returncode == 0, run.stderr
    return course / "release" / "mnist1"


def test_the_committed_notebook_is_the_generated_one(released: Path, root: Path) -> None:
    """When this fails: `nbgrader generate_assignment mnist1 --force`, and commit the result."""
    committed = json.loads((root / "release" / "mnist1" / "mnist1.ipynb").read_text())
    assert json.loads((released / "mnist1.ipynb").read_text()) == committed


def test_the_judge_rebuilds_from_the_same_notebook(released: Path, spec: NotebookSpec) -> None:
    generated = nbformat.read(released / "mnist1.ipynb", as_version=4)
    assert [c.source for c in generated.cells] == [c.source for c in spec.skeleton.cells]
    assert [c.metadata for c in generated.cells] == [c.metadata for c in spec.skeleton.cells]


def test_no_released_file_holds_a_secret(released: Path, spec: NotebookSpec, root: Path) -> None:
    secrets = set()
    for name, answer in right_answers(spec).items():
        given = next(c.source for c in spec.skeleton.cells if c.id == name)
        secrets |= {line.strip() for line in answer.splitlines()} - {line.strip() for line in given.splitlines()}
    packages = [path.parent for path in (root / "course_lib").glob("*/__init__.py") if path.parent.name != "kernel"]
    for path in (file for folder in [root / "grader_tests", *packages] for file in folder.rglob("*.py")):
        secrets |= {line.strip() for line in path.read_text().splitlines() if not line.startswith(("import", "from"))}
    files = {path: path.read_bytes() for path in released.rglob("*") if path.is_file() and path.suffix != ".gz"}
    harmless = {  # lines that the student half contains, too
        line.strip() for path in (root / "course_lib").glob("*.py") for line in path.read_text().splitlines()
    } | GIVEN_LINES
    secrets = {line for line in secrets - harmless if len(line) > 12}
    assert len(secrets) > 500
    cells = json.loads(files[released / "mnist1.ipynb"])["cells"]
    lines = {line.strip() for cell in cells for line in "".join(cell["source"]).splitlines()}
    assert lines
    given = {line.strip() for cell in spec.skeleton.cells for line in cell.source.splitlines()}
    assert not (secrets & lines) - given
    for path, content in files.items():
        text = content.decode()
        assert not re.search(r"HIDDEN TESTS|BEGIN SOLUTION|Barème|authoring|import reference|grader_tests", text), path
        if path.suffix == ".py":
            names = {
                n for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom | ast.Import)
                for n in [getattr(node, "module", "") or "", *(a.name for a in node.names)]
            }  # fmt: skip
            inner = {name for name in names if name.startswith("course_lib.")}
            assert not any(name.split(".")[-1] in (folder.name for folder in packages) for name in inner), path
            assert not secrets & {line.strip() for line in text.splitlines()}, path
    assert {path.relative_to(released).parts[0] for path in files} == {"mnist1.ipynb", "course_lib"}
    assert not any(path.is_dir() for path in (released / "course_lib").iterdir() if path.name != "mnist_files")


def test_the_search_for_secrets_would_find_an_answer(spec: NotebookSpec) -> None:
    """The source notebook contains all answers."""
    source = "\n".join(cell.source for cell in spec.source.cells)
    assert all(line.strip() in source for line in right_answers(spec)["softmax"].splitlines())
    assert "F.softmax(logits, dim=1)" in source
    assert "F.softmax(logits, dim=1)" not in "\n".join(cell.source for cell in spec.skeleton.cells)


def test_the_unzipped_folder_works_by_itself(released: Path, tmp_path: Path) -> None:
    """In plain Jupyter, the notebook uses the library beside it, and each cell to complete says what to do."""
    archive = shutil.make_archive(str(tmp_path / "mnist1"), "zip", released)
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path / "unzipped")
    folder = tmp_path / "unzipped"
    notebook = nbformat.read(folder / "mnist1.ipynb", as_version=4)
    notebook.cells = [
        c
        for c in notebook.cells
        if c.id not in ("train_model", "plot_results", "plot_errors", "confusion", "plot_history", "evaluate_model")
    ]
    notebook.cells.append(
        new_code_cell("import sys; print(ooo.__file__, [m for m in sys.modules if m.startswith('course_lib.judge')])")
    )
    nbformat.write(notebook, folder / "short.ipynb")
    command = [sys.executable, "-m", "jupyter", "execute", "--inplace", "--allow-errors", "short.ipynb"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {
        "COURSE_LIB_CACHE": str(tmp_path / "cache")
    }
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    done = nbformat.read(folder / "short.ipynb", as_version=4)
    last = done.cells[-1].outputs[0]["text"]
    assert str(folder.resolve()) in last
    assert last.rstrip().endswith("[]")
    errors = [o for c in done.cells for o in c.get("outputs", []) if o.output_type == "error"]
    assert errors
    for error in errors:
        assert error.ename in ("NotImplementedError", "CheckFailed", "NameError"), error
    for error in (e for e in errors if e.ename != "NameError"):
        assert len(error.traceback) == 1
        assert len(error.traceback[0]) < 200, "a line, not a wall"


def test_grade_cells_points_and_solutions_are_as_agreed(spec: NotebookSpec) -> None:
    cells = {cell.grade_id: cell for cell in spec.grade_cells}
    assert {name: cell.points for name, cell in cells.items() if not cell.manual} == ALL_POINTS
    manual = ["question_view", "question_classes", "question_argmax", "conclusion"]
    assert [name for name, cell in cells.items() if cell.manual] == manual
    assert sum(cell.points for cell in cells.values()) == 20
    solutions = {
        "test_dimensions": "dimensions", "test_one_hot": "one_hot", "test_softmax": "softmax", "test_argmax": "argmax",
        "test_dnn": "dnn", "test_dnn_accuracy": "dnn", "test_cnn": "cnn", "test_cnn_accuracy": "cnn", "test_cnn2": "cnn2",
        "test_cnn2_accuracy": "cnn2",
    }  # fmt: skip
    assert {name: cell.solution for name, cell in cells.items() if not cell.manual} == solutions


def test_the_source_has_no_outputs_and_given_cells_are_locked(spec: NotebookSpec) -> None:
    for cell in spec.source.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            meta = cell.metadata.nbgrader
            assert meta.locked or meta.solution
    for cell in spec.skeleton.cells:
        if cell.cell_type == "code" and not cell.metadata.nbgrader.solution:
            assert cell.metadata.editable is False


def test_the_french_questions_have_a_translation(spec: NotebookSpec) -> None:
    text = "\n".join(cell.source for cell in spec.skeleton.cells)
    for question, translation in (
        (
            "Que représentent les différentes dimensions dans la taille de x_train (les 60000, 28 et 28) ?",
            "What do the different",
        ),
        ("Quel est alors l'interet de la ligne *x = x.view(-1,784)* ?", "What is the purpose of the line"),
        ("Pourquoi la sortie du réseau est en dimension 10 ?", "Why does the output of the network have dimension 10?"),
        (
            "Quel est l'intéret de *torch.argmax(y_pred, dim= 1)* ?",
            "What is the purpose of* torch.argmax(y_pred, dim= 1)*?*",
        ),
        ("Vérifiez si ils vous permettent d'améliorer la précision des résultats.", "Find out whether they improve"),
    ):
        assert question in text
        assert translation in text


def test_the_stated_thresholds_are_those_of_the_judge(spec: NotebookSpec, root: Path) -> None:
    thresholds = json.loads((root / "grader_tests" / "mnist1" / "thresholds.json").read_text())
    by_id = {cell.id: cell.source for cell in spec.skeleton.cells}
    for model, text, check in (
        ("DNN", "step-7", "dnn_accuracy"),
        ("CNN", "step-8", "cnn_accuracy"),
        ("CNN2", "todo-cnn2", "cnn2_accuracy"),
    ):
        stated = str(thresholds[model]["accuracy"])
        assert f"**{stated}**" in by_id[text]
        checked = EXERCISE.tasks[check].properties({})[-1]
        assert f"at least {stated}" in checked.says[1]
        assert checked.holds(float(stated))
        assert not checked.holds(float(stated) - 1e-4)
        assert thresholds[model]["accuracy_false_fail"] <= 1e-4
        assert thresholds[model]["shifted_false_fail"] <= 1e-4


@pytest.mark.parametrize("beside", [None, ModuleType("course_lib")], ids=["nothing", "an empty folder"])
def test_the_first_cell_says_that_the_library_is_missing(
    root: Path, monkeypatch: pytest.MonkeyPatch, beside: ModuleType | None
) -> None:
    notebook = nbformat.read(root / "release" / "mnist1" / "mnist1.ipynb", as_version=4)
    monkeypatch.setitem(sys.modules, "course_lib", beside)
    with pytest.raises(ImportError) as raised:
        exec(find(notebook, "init").source, {})
    (line,) = raised.value._render_traceback_()  # what IPython shows
    assert "course_lib folder next to this notebook" in line
    assert "pip install torch" in line
    assert "restart the kernel" in line, "an empty folder stays imported"


@pytest.mark.parametrize(
    ("marker", "wrong", "left"),
    [
        ("HIDDEN TESTS", "HIDEN TESTS", "### BEGIN "), ("HIDDEN TESTS", "HIDDEN TEST", "### BEGIN "),
        ("(?s)### BEGIN .*### END ", "### END OF ", "### END "), ("### (BEGIN|END) .*", "", "course_lib.authoring"),
    ],
)  # fmt: skip
def test_a_misspelt_marker_releases_nothing(spec: NotebookSpec, marker: str, wrong: str, left: str) -> None:
    source = nbformat.from_dict(deepcopy(spec.source))
    cell = find(source, "test_softmax")
    cell.source = re.sub(marker, wrong, cell.source)
    with pytest.raises(RuntimeError, match=f"'test_softmax': '{left}' would reach students"):
        release_notebook(source)


def test_the_authors_metadata_are_left_out(spec: NotebookSpec) -> None:
    """For example the state of a widget, which may show the answer."""
    source = nbformat.from_dict(deepcopy(spec.source))
    source.metadata["widgets"] = find(source, "softmax").metadata["execution"] = {"state": "an answer"}
    find(source, "softmax").metadata["tags"] = ["of the author"]
    notebook = release_notebook(source)
    assert "an answer" not in nbformat.writes(notebook)
    assert notebook.metadata.kernelspec == source.metadata.kernelspec
    assert find(notebook, "softmax").metadata.tags == ["of the author"]


def library_of(*sources: str) -> set[str]:
    """The names of the files and folders beside a released notebook with these code cells."""
    cells = [new_markdown_cell("import course_lib; load_mnist()"), *map(new_code_cell, map(dedent, sources))]
    _, resources = AddStudentLibrary().preprocess(new_notebook(cells=cells), {})
    return {name.split("/")[1] for name in resources.get("outputs", {})}


def test_the_library_is_released_only_if_it_is_imported() -> None:
    assert library_of("import torch", "x = 'import course_lib'  # course_lib") == set()
    for importing in ("import course_lib as ooo", "from course_lib import check", "import course_lib.plots"):
        assert {"__init__.py", "checks.py", "plots.py"} <= library_of("%matplotlib inline", importing)
        assert "mnist_files" not in library_of(importing, "print('load_mnist')")


@pytest.mark.parametrize(
    "loading",
    [
        "import course_lib as ooo\ntrain, test = ooo.load_mnist()",
        "from course_lib import load_mnist as load",
        "from course_lib.mnist import *\nunpack_mnist('data')",
        "import course_lib\n%time data = course_lib.mnist.load_mnist()",
        "%%time\nimport course_lib\ndata = course_lib.load_mnist()",
    ],
)
def test_mnist_is_released_only_if_it_is_loaded(loading: str) -> None:
    assert "mnist_files" in library_of(loading)
