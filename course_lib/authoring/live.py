"""Run hidden tests on global variables: in the author's own notebook, and in the kit's tests.

The last lines of a grade cell in a source notebook call :func:`hidden_tests`. Students never get these lines. While
grading, the judge asks the student's kernel the same questions, in the same encoding.
"""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from IPython.display import HTML, display

from ..kernel.responder import Responder
from ..kernel.wire import Packet, pack, unpack
from .notebook import StudentNotebook
from .pytest_plugin import run_hidden_tests
from .result_html import cell_html


def student_of(namespace: MutableMapping[str, Any]) -> StudentNotebook:
    """A notebook with the global variables ``namespace``, as hidden tests see it."""
    responder = Responder(namespace)

    def ask(question: Packet) -> Packet:
        content, data = pack(question)
        content, data = responder.packed_answer(content, [data])
        return unpack(content, [data])

    return StudentNotebook(ask)


def hidden_tests(assignment: str, grade_id: str, namespace: MutableMapping[str, Any]) -> None:
    """Run the hidden tests of a grade cell on a notebook's global variables, and show the result.

    Args:
        assignment: the name of the assignment. Its tests are in ``grader_tests/<assignment>``, in the current folder or
            in one above it.
        grade_id: the name of the grade cell.
        namespace: the global variables, ``globals()`` in a notebook.

    Raises:
        FileNotFoundError: if there are no such tests.
        AssertionError: if a test is not passed.
        GradingFault: if a test is faulty.
    """
    here = Path.cwd()
    places = [folder / "grader_tests" / assignment for folder in (here, *here.parents)]
    candidates = [place / name for place in places for name in (f"{grade_id}.py", grade_id)]
    path = next((candidate for candidate in candidates if candidate.exists()), None)
    if path is None:
        raise FileNotFoundError(
            f"there is no grader_tests/{assignment}/{grade_id}.py in {here} or a folder above it: "
            "write these hidden tests, or correct the names in hidden_tests(...)"
        )
    result = run_hidden_tests([path], lambda _: student_of(namespace))[grade_id]
    display(HTML(cell_html(result)))
    assert not result.lost, "\n".join(result.lost)
