"""Run hidden tests on global variables: in the author's own notebook, and in the kit's tests.

The last lines of a grade cell in a source notebook call :func:`hidden_tests`. Students never get these lines. While
grading, the judge asks the student's kernel the same questions, in the same encoding.
"""

import contextlib
import json
import re
from collections.abc import Collection, MutableMapping
from functools import partial
from pathlib import Path
from typing import Any

from IPython.display import HTML, display

from ..kernel.responder import Responder
from ..kernel.snapshot import ask_a_fork
from ..kernel.wire import Packet, pack, unpack
from ..results.errors import only_hidden
from ..results.failures import StudentFailure, missing_name
from ..results.result import Verdict
from ..results.result_html import cell_html
from .notebook import StudentNotebook
from .pytest_plugin import run_hidden_tests
from .student_code import StudentCode

# nbgrader's ClearHiddenTests does this, but it takes a second to import
_HIDDEN = re.compile(r"^[^\n]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[^\n]*", re.DOTALL | re.MULTILINE)


def student_of(namespace: MutableMapping[str, Any], hidden: Collection[str] = ()) -> StudentNotebook:
    """A notebook with the global variables ``namespace``, as hidden tests see it.

    Args:
        namespace: the global variables.
        hidden: the names that students do not have.
    """
    namespace = {name: value for name, value in namespace.items() if name not in hidden} if hidden else namespace
    responder = Responder(namespace)

    def ask(question: Packet) -> Packet:
        content, data = pack(question)
        content, data = responder.packed_answer(content, [data])
        return unpack(content, [data])

    def missing(name: str) -> StudentFailure:
        if name not in hidden:
            return missing_name(name)
        return StudentFailure(Verdict.ERROR, note=only_hidden(name))

    code = StudentCode([str(cell) for cell in namespace.get("In", ())])
    return StudentNotebook(ask, missing, partial(ask_a_fork, namespace), code)


def names_in_hidden_regions(source: Path) -> set[str]:
    """The names that are defined only in hidden-tests regions of the saved notebooks in a source folder."""
    names: set[str] = set()
    for path in source.glob("*.ipynb"):
        with contextlib.suppress(
            OSError, ValueError, KeyError, TypeError
        ):  # it is being saved: the next run will read it
            cells = json.loads(path.read_bytes())["cells"]
            code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
            names |= StudentCode(code).names - StudentCode([_HIDDEN.sub("", source) for source in code]).names
    return names


def hidden_tests(assignment: str, grade_id: str, namespace: MutableMapping[str, Any]) -> None:
    """Run the hidden tests of a grade cell on a notebook's global variables, and show the result.

    Args:
        assignment: the name of the assignment. Its tests are in ``grader_tests/<assignment>``, in the current folder or
            in a folder above it.
        grade_id: the name of the grade cell.
        namespace: the global variables, ``globals()`` in a notebook.

    Raises:
        FileNotFoundError: if there are no such tests.
        AssertionError: if a test is not passed.
        GraderError: if a test is faulty.
    """
    here = Path.cwd()
    folders = [folder / "grader_tests" / assignment for folder in (here, *here.parents)]
    candidates = [folder / name for folder in folders for name in (f"{grade_id}.py", grade_id)]
    path = next((candidate for candidate in candidates if candidate.exists()), None)
    if path is None:
        raise FileNotFoundError(
            f"there is no grader_tests/{assignment}/{grade_id}.py in {here} or a folder above it: "
            "write these hidden tests, or correct the names in hidden_tests(...)"
        )
    hidden = names_in_hidden_regions(path.parents[2] / "source" / assignment)
    result = run_hidden_tests([path], lambda _: student_of(namespace, hidden))[grade_id]
    display(HTML(cell_html(result)))
    assert not result.lost, "\n".join(result.lost)
