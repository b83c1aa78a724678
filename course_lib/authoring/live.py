"""Run hidden tests on a namespace: in the author's own notebook, and in the kit's tests.

The last lines of a grade cell in a source notebook call :func:`hidden_tests`. Students never get these lines, and while
grading the judge asks the kernel instead: same tests, same questions, same wire.
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

__all__ = ["hidden_tests", "student_of"]


def student_of(namespace: MutableMapping[str, Any]) -> StudentNotebook:
    """The notebook whose global variables are ``namespace``, as hidden tests see it."""
    responder = Responder(namespace)

    def ask(question: Packet) -> Packet:
        content, data = pack(question)
        content, data = responder.packed_answer(content, [data])
        return unpack(content, [data])

    return StudentNotebook(ask)


def hidden_tests(assignment: str, grade_id: str, namespace: MutableMapping[str, Any]) -> None:
    """Run the hidden tests of a grade cell on a namespace and show the result.

    Args:
        assignment: name of the assignment; its tests are in ``grader_tests/<assignment>`` of this folder or one above.
        grade_id: the grade cell.
        namespace: global variables of a notebook.

    Raises:
        FileNotFoundError: if there are no such tests.
        AssertionError: if a test is not passed.
        GradingFault: if a test failed by itself.
    """
    here = Path.cwd()
    places = [folder / "grader_tests" / assignment for folder in (here, *here.parents)]
    candidates = [place / name for place in places for name in (f"{grade_id}.py", grade_id)]
    path = next((candidate for candidate in candidates if candidate.exists()), None)
    if path is None:
        raise FileNotFoundError(f"no hidden tests for '{grade_id}' in grader_tests/{assignment} of {here} or above")
    result = run_hidden_tests([path], lambda _: student_of(namespace))[grade_id]
    display(HTML(cell_html(result)))
    assert not result.lost, "\n".join(result.lost)
