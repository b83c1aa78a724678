"""Grade cells that are tested by their own code, as in every nbgrader course."""

import math
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from nbconvert.exporters.exporter import ResourcesDict

from course_lib.assignment.harden import CannotDraft, draft
from course_lib.assignment.imports import imported_modules, missing_packages
from course_lib.assignment.loader import load_notebook_spec
from course_lib.execution.worker import grade_submission, worker_processes
from course_lib.judge.classic_cells import points_of
from course_lib.judge.sandbox import write_kernel_library
from course_lib.judge.task import Protection, Unreadable
from course_lib.kernel.classic import equal
from course_lib.nbgrader_plugins.feedback_page import HideTests
from course_lib.results.errors import AssignmentError, GraderError
from course_lib.results.result import Verdict
from tests.support.classic import ClassicExercise, by_id, hidden
from tests.support.code import code
from tests.support.courses import PROTECTIONS
from tests.support.tiny_course import CANARY

DOUBLE = "def double(x):\n    return 2 * x"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, (Verdict.PASSED, 2)),
        ("0.5", (Verdict.PASSED, 2)),
        (True, (Verdict.PASSED, 2)),
        (math.nan, (Verdict.PASSED, 2)),
        (-1, (Verdict.PASSED, 2)),
        (2, (Verdict.PASSED, 2)),
        (0.5, (Verdict.PARTIAL, 0.5)),
        (1, (Verdict.PARTIAL, 1)),
        (0, (Verdict.FAILED, 0)),
    ],
)
def test_points_follow_nbgraders_rules(value: object, expected: tuple[Verdict, float]) -> None:
    assert points_of(value, 2) == expected


def test_more_points_than_the_cell_has_are_an_error() -> None:
    with pytest.raises(ValueError, match="3, and the cell has 2"):
        points_of(3, 2)
    with pytest.raises(ValueError, match="inf"):
        points_of(math.inf, 2)


LAST_LINES = {
    "assertion": ("assert double(2) == 4", 2),
    "failing": ("assert double(2) == 5", 0),
    "error": ("double()", 0),
    "half": ("0.5", 0.5),
    "numpy": ("import numpy as np\nnp.float64(0.5)", 0.5),
    "truth": ("double(2) == 4", 2),
    "semicolon": ("0.5;", 2),
    "text": ("'0.5'", 2),
    "printed": ("print(0.5)", 2),
    "warning": ("import sys\nprint('careful', file=sys.stderr)", 2),
    "assigned": ("points = 0.5", 2),
    "awaited": ("import asyncio\nawait asyncio.sleep(0, 0.5)", 0.5),
    "magic": ("%time double(1)", 2),
    "exit": ("raise SystemExit", 0),
    "figure": ("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()", 2),
    "empty": ("", 2),
    "environment": ("import os\nassert os.environ['NBGRADER_EXECUTION'] == 'autograde'", 2),
}
"""The code of a grade cell with 2 points, and what nbgrader gives for it."""


def test_each_cell_gets_the_points_that_nbgrader_gives(tmp_path: Path, library: Path) -> None:
    exercise = ClassicExercise(tmp_path, DOUBLE, {name: source for name, (source, _) in LAST_LINES.items()})
    result = exercise.result(library, DOUBLE)
    assert result.marks == {name: points for name, (_, points) in LAST_LINES.items()}
    assert all(cell.classic for cell in result.cells)


def test_too_many_points_are_left_to_a_person(tmp_path: Path, library: Path) -> None:
    [cell] = ClassicExercise(tmp_path, "points = 3", {"test": "points"}).result(library, "points = 3").cells
    [test] = cell.tests
    assert (test.verdict, test.score) == (Verdict.TEST_CRASHED, 0)
    assert test.note == "exercise.ipynb, cell 'test': the value of its last line is 3, and the cell has 2 points"


SECRET = {"test": f"assert double(1)\n{hidden(f'assert double({CANARY!r}) == 12345')}"}

SPIES = [
    f"import linecache\nprint([name for name in linecache.cache if '{CANARY[:6]}' in str(linecache.cache[name])])",
    f"print([c for c in In if '{CANARY[:6]}' in c])",
    f"import gc\nprint([o for o in gc.get_objects() if '{CANARY[:6]}' + 'y' in str(o)[:500]])",
    "import os\nprint([(p, open(os.path.join(p, f), errors='replace').read()) for p, _, fs in os.walk('/tmp') for f in fs])",
]


def test_a_student_sees_no_hidden_line_or_value(tmp_path: Path, library: Path) -> None:
    exercise = ClassicExercise(tmp_path, DOUBLE, SECRET)
    keeps = """
        seen = []

        def double(x):
            seen.append(x)
            with open("/tmp/seen", "a") as file:
                print(x, file=file)
            if x != 1:
                raise type(str(x), (Exception,), {})(x)
            return 2
    """
    graded = exercise.grade(library, keeps, [*SPIES, "print(seen)"])
    [[test]] = [cell.tests for cell in graded.result.cells]
    assert test.verdict is Verdict.ERROR
    assert "12345" not in test.hint
    assert CANARY not in test.hint
    assert "a hidden test of this cell fails (an exception)" in test.hint
    assert CANARY in test.note, "the instructor reads it"
    cells = nbformat.reads(graded.notebook, as_version=4).cells
    for cell in cells:
        assert CANARY not in str(cell.get("outputs", ""))
    assert CANARY in next(c.source for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == "test")


def test_a_visible_failure_names_the_line_and_the_error(tmp_path: Path, library: Path) -> None:
    tests = {"test": "x = double(2)\nassert x == 4, f'got {x}'\nassert x"}
    [[test]] = [cell.tests for cell in ClassicExercise(tmp_path, DOUBLE, tests).result(library, "double = abs").cells]
    assert "the line 'assert x == 4, f'got {x}'' fails (AssertionError: got 2)." in test.hint


def test_a_missing_name_is_named(tmp_path: Path, library: Path) -> None:
    tests = {"test": f"# calls double\n{hidden('assert double(2) == 4')}"}
    [[test]] = [cell.tests for cell in ClassicExercise(tmp_path, DOUBLE, tests).result(library, "twice = 2").cells]
    assert "NameError: double" in test.hint


def test_a_later_cell_may_use_what_hidden_lines_define(tmp_path: Path, library: Path) -> None:
    tests = {"first": hidden("limit = 4\nassert double(1) < limit"), "second": "assert double(2) == limit"}
    exercise = ClassicExercise(tmp_path, DOUBLE, tests)
    assert exercise.spec.needs_hidden_lines
    assert exercise.result(library, DOUBLE).marks == {"first": 2, "second": 2}
    assert exercise.result(library, "double = abs").marks == {"first": 2, "second": 0}


def test_a_notebook_with_threads_runs_again(tmp_path: Path, library: Path) -> None:
    waiting = f"import threading, time\nthreading.Thread(target=time.sleep, args=(5,)).start()\n{DOUBLE}"
    exercise = ClassicExercise(tmp_path, DOUBLE, {"test": f"assert double(1)\n{hidden('assert double(2) == 4')}"})
    assert exercise.result(library, waiting).marks == {"test": 2}


def test_the_fork_has_what_the_cell_before_it_left(tmp_path: Path, library: Path) -> None:
    """And neither what the visible lines nor what other grade cells changed."""
    tests = {
        "first": f"calls.append(1)\n{hidden('assert len(calls) == 1')}",
        "second": f"assert len(calls) == 1\ncalls.append(2)\n{hidden('open(`f`, `w`).close()'.replace('`', chr(39)))}",
        "third": "import os\nassert len(calls) == 2\nassert not os.path.exists('f')",
    }
    exercise = ClassicExercise(tmp_path, "calls = []", tests)
    assert exercise.result(library, "calls = []").marks == dict.fromkeys(tests, 2)


TRICKS = {
    "input transformer": "get_ipython().input_transformers_post.append(lambda lines: ['pass'])",
    "ast transformer": """
        import ast

        class Drop(ast.NodeTransformer):
            def visit_Assert(self, node):
                return ast.Pass()

        get_ipython().ast_transformers.append(Drop())
    """,
    "hook": "get_ipython().events.register('pre_run_cell', lambda info: get_ipython().run_cell('raise SystemExit'))",
    "display hook": "import sys\nsys.displayhook = lambda value: None",
    "run_cell": "get_ipython().run_cell = lambda *args, **kwargs: None",
    "builtins": "import builtins\nbuiltins.AssertionError = type('Fine', (BaseException,), {})\nbuiltins.len = lambda x: 3",
    "formatter": "get_ipython().display_formatter.formatters['text/plain'].for_type(float, lambda *a: a[1].text('2.0'))",
    "traceback": "get_ipython().showtraceback = lambda *args, **kwargs: None",
}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_trick_with_ipython_earns_nothing(trick: str, tmp_path: Path, library: Path) -> None:
    exercise = ClassicExercise(tmp_path, DOUBLE, {"test": "assert double(2) == 4", "points": "0.0 * len([1]) + 0.5"})
    marks = exercise.result(library, f"{code(TRICKS[trick])}\ndouble = abs", cell=1).marks
    assert marks["test"] == 0
    assert marks["points"] == (0.5 if trick != "run_cell" else 0), "this one breaks its own kernel"


@pytest.mark.parametrize("name", ["lying_eq", "float_subclass", "numpy_object", "tensor_subclass"])
def test_an_object_that_equals_everything_earns_nothing(name: str, tmp_path: Path, library: Path) -> None:
    answer = (Path(__file__).parent / "attacks" / f"{name}.py").read_text()
    right = "def add(x):\n    return x + 1"
    exercise = ClassicExercise(tmp_path, right, {"left": "assert add(1) == 2", "right": "assert 2.0 == add(1.0)"})
    assert exercise.result(library, answer).marks == {"left": 0, "right": 0}


def test_honest_values_are_equal_as_usual() -> None:
    a, nothing = np.arange(3), float("nan")
    assert (equal(a, a) == [True] * 3).all()
    assert equal(torch.tensor(2.0), 2.0)
    assert equal(1e300, 1e300)
    assert equal(math.inf, math.inf)
    assert equal("a", "a")
    assert equal([1, {"b": 2.0}], [1, {"b": 2}])
    assert equal(None, None)
    assert not equal(nothing, nothing)
    assert not equal(True, 2)


def test_a_cell_that_does_not_end_has_its_verdict(tmp_path: Path, library: Path) -> None:
    exercise = ClassicExercise(tmp_path, DOUBLE, {"test": "double(1)", "other": "assert True"})
    endless = "def double(x):\n    while True:\n        pass"
    cells = by_id(exercise.result(library, endless, cell=1))
    assert cells["test"].tests[0].verdict is Verdict.TIMEOUT
    assert cells["other"].score == 2


@pytest.mark.parametrize("protection", PROTECTIONS)
def test_files_of_a_student_can_be_imported(tmp_path: Path, library: Path, protection: Protection) -> None:
    exercise = ClassicExercise(
        tmp_path, DOUBLE, {"test": "assert double(2) == 4\nassert open('data/x.txt').read() == 'x'"}
    )
    files = {"helper.py": DOUBLE.encode(), "data/x.txt": b"x"}
    graded = exercise.grade(library, "from helper import double", files=files, protection=protection)
    assert graded.result.marks == {"test": 2}


def test_a_kernel_imports_no_torch_that_nobody_needs(tmp_path: Path) -> None:
    library = write_kernel_library(tmp_path / "library", ["json", "no_such_module"])
    tests = {"test": "import sys\nassert 'json' in sys.modules\nassert 'torch' not in sys.modules"}
    assert ClassicExercise(tmp_path, DOUBLE, tests).result(library, DOUBLE).marks == {"test": 2}


def test_a_worker_imports_no_torch_for_classic_cells(tmp_path: Path, library: Path) -> None:
    """Torch would take each worker 2 s and 0.2 GB."""
    exercise = ClassicExercise(tmp_path, DOUBLE, {"test": "assert double(2) == 4"})
    student = exercise.task(library, DOUBLE, protection="none")
    with worker_processes(1, None, judged=False) as executor:
        for task in (replace(student, is_source=True), student, replace(student, submitted=Unreadable("gone"))):
            [graded] = executor.submit(grade_submission, [task]).result()
            assert graded.result.unreadable or graded.result.marks == {"test": 2}
        assert not executor.submit(eval, "'torch' in __import__('sys').modules").result()


def test_hidden_lines_are_on_formgraders_page_only(tmp_path: Path) -> None:
    notebook = ClassicExercise(tmp_path, DOUBLE, SECRET).spec.source
    page, _ = HideTests().preprocess(nbformat.from_dict(notebook.copy()), ResourcesDict(submission_id="x"))
    assert CANARY in str(page)
    page, _ = HideTests().preprocess(notebook, ResourcesDict())
    assert CANARY not in str(page)
    assert "assert double(1)" in str(page)


def test_a_notebook_in_another_language_is_refused(tmp_path: Path, library: Path) -> None:
    exercise = ClassicExercise(tmp_path, DOUBLE, {"test": "assert double"})
    notebook = nbformat.read(exercise.path, as_version=4)
    notebook.metadata.kernelspec = {"name": "ir", "display_name": "R", "language": "R"}
    nbformat.write(notebook, exercise.path)
    with pytest.raises(AssignmentError, match=r"exercise.ipynb: the language of its kernel is 'R'"):
        load_notebook_spec(exercise.path, tmp_path)
    exercise.spec.skeleton.metadata.kernelspec = notebook.metadata.kernelspec
    with pytest.raises(GraderError, match=r"exercise.ipynb asks for a kernel for R"):
        exercise.grade(library, DOUBLE)


def test_missing_packages_are_named_as_pip_names_them(tmp_path: Path) -> None:
    answer = "import json\nimport sklearn_of_nobody.linear_model\nfrom cv2_of_nobody import x\nimport helper"
    spec = ClassicExercise(tmp_path, answer, {"test": "from . import y"}).spec
    (tmp_path / "helper.py").touch()
    modules = imported_modules([spec.source], tmp_path)
    assert modules == ["json", "sklearn_of_nobody.linear_model", "cv2_of_nobody"]
    assert missing_packages([*modules, "cv2"]) in (
        ["sklearn_of_nobody", "cv2_of_nobody", "opencv-python"],
        ["sklearn_of_nobody", "cv2_of_nobody"],
    )


DRAFTS = {
    "assert double(2) == 4": "assert student.call('double', 2) == 4",
    "x = [1]\nassert double(x) == x + x": "x = [1]\nassert student.call('double', x) == x + x",
    "assert limit == 3": "assert student.value('limit') == 3",
    "import math\nassert math.isclose(double(limit), 6)": (
        "import math\nassert math.isclose(student.call('double', student.value('limit')), 6)"
    ),
    "with pytest.raises(ValueError):\n    double(None)": "student.raises('ValueError', 'double', None)",
    "try:\n    double(1)\nexcept TypeError:\n    pass\nelse:\n    raise AssertionError": (
        "student.raises('TypeError', 'double', 1)"
    ),
}


@pytest.mark.parametrize("source", DRAFTS)
def test_simple_asserts_become_hidden_tests(source: str, tmp_path: Path) -> None:
    spec = ClassicExercise(tmp_path, f"{DOUBLE}\nlimit = 3", {"test-a": source}).spec
    drafted = draft(spec, "test-a")
    compile(drafted, "test-a.py", "exec")
    body = drafted.partition("def test_a(student):\n")[2]
    assert body == "".join(f"    {line}\n" for line in DRAFTS[source].splitlines())


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("%time double(1)", "magic"),
        ("assert list(map(double, [1])) == [2]", "uses the function double without calling it"),
        ("def f():\n    return double(1)\nassert f()", "defines the function f"),
        ("0.5", "checks nothing"),
        ("assert 1 + 1 == 2", "uses nothing that the student wrote"),
        ("assert double(1)\n0.5", "partial points"),
        ("assert (", "not valid Python"),
    ],
)
def test_what_cannot_be_drafted_stays_classic(source: str, reason: str, tmp_path: Path) -> None:
    spec = ClassicExercise(tmp_path, DOUBLE, {"test": source}).spec
    with pytest.raises(CannotDraft, match=reason):
        draft(spec, "test")
