"""Attacks on the tiny assignment: submissions that try to earn points for a wrong ``add``.

Most are programs in ``tests/attacks``, which a student would write where ``add`` belongs. The others change the notebook
around the answers, and are made here. Each answers ``mean`` right. So an attack must earn what any wrong ``add`` earns,
and its ``mean`` shows that the attack before it, in the same worker, has changed nothing.
"""

import copy
from collections.abc import Callable
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from tests.support.code import code
from tests.support.tiny_course import WRONG_ANSWER, notebook, written

ATTACKS = Path(__file__).parents[1] / "attacks"


def attacks() -> dict[str, bytes]:
    """Return the file of every attack by its name."""
    found = {path.stem: written(notebook(path.read_text())) for path in sorted(ATTACKS.glob("*.py"))}
    return found | {name: written(make()) for name, make in NOTEBOOK_ATTACKS.items()}


def about(name: str) -> str:
    """Return a sentence on what an attack does."""
    if name in NOTEBOOK_ATTACKS:
        return (NOTEBOOK_ATTACKS[name].__doc__ or "").splitlines()[0]
    text = (ATTACKS / f"{name}.py").read_text()
    return next(line for line in text.splitlines() if '"""' in line).strip('"')


def _skip_tags() -> NotebookNode:
    """Every cell is tagged as one that is not run."""
    node = notebook(WRONG_ANSWER)
    for cell in node.cells:
        cell.metadata["tags"] = ["skip-execution", "raises-exception"]
    return node


def _flipped_flags() -> NotebookNode:
    """A grade cell claims to be a solution cell, and shows its maximum."""
    node = notebook(WRONG_ANSWER)
    test = node.cells[2]
    test.source = "2.0"
    test.metadata.nbgrader |= {"grade": False, "solution": True, "locked": False}
    return node


def _more_points() -> NotebookNode:
    """The grade cells claim more points."""
    node = notebook(WRONG_ANSWER)
    node.cells[2].metadata.nbgrader["points"] = 200
    node.cells[4].metadata.nbgrader |= {"points": 50, "checksum": "0"}
    return node


def _replaced_test() -> NotebookNode:
    """A grade cell that tests nothing."""
    node = notebook(WRONG_ANSWER)
    node.cells[2].source = "pass"
    return node


def _other_ids() -> NotebookNode:
    """A copy of the right `mean` claims to be the grade cell of `add`."""
    node = notebook(WRONG_ANSWER)
    extra = copy.deepcopy(node.cells[3])
    extra.metadata.nbgrader["grade_id"] = "test_add"
    extra.metadata.nbgrader |= {"grade": True, "points": 2}
    node.cells.append(extra)
    return node


def _strange_metadata() -> NotebookNode:
    """Metadata of wrong types, of unknown versions, and a result that the judge is said to have stored."""
    node = notebook(WRONG_ANSWER)
    node.metadata = {"kernelspec": {"name": "../../evil", "display_name": 3}, "course_lib": {"cells": [{"score": 3}]}}
    node.cells[1].metadata["nbgrader"] |= {"schema_version": 99, "points": {"a": 1}, "remote": True}
    node.cells[0].metadata = {"nbgrader": {"grade_id": ["add"]}, "course_lib_extra": {"deep": [[[]]]}}
    return node


def _foreign_links() -> NotebookNode:
    """Texts and outputs that run scripts, load other pages or cover the marks, for formgrader and the feedback page."""
    cover = "<div style='opacity:0.01;height:6000px;margin:-2700px 0 -3300px 0;font-size:90px;overflow:hidden'>"
    links = ["javascript:void(1)", "&#106;avascript:void(1)", "JaVaScript&colon;void(1)", "data:text/html,<b>x</b>"]
    texts = [
        *(f"{cover}\n\n[{'█' * 50}]({link})\n\n</div>" for link in links),
        "![](http://127.0.0.1:9/x.png) ![](/formgrader/api/x) <img src='http://127.0.0.1:9/y.png'>",
        "<script>alert(1)</script><iframe src='/'></iframe><p onclick='alert(1)' class='modal-backdrop'>p</p>",
    ]
    covers = [
        "<a href='https://evil.example/' style='padding:3000px'>.</a>",
        "<sup style='font-size:400px'>2/2</sup>",
        "<span style='padding:250px 2000px;background:white;border:50px solid white'> </span>",
        r"$\smash{\raise 200px{\rlap{\color{white}{\rule[-200px]{900px}{500px}}}}}$",
        "<div style='background: image-set(\"http://127.0.0.1:9/{}\" 1x)'>x</div>",
    ]

    def show(text: str) -> NotebookNode:
        source = f"""
            from IPython.display import HTML, Latex, display
            display(HTML({text!r}), Latex({text!r}))
        """
        return new_code_cell(code(source))

    node = notebook(WRONG_ANSWER)
    node.cells[2:2] = [new_markdown_cell(text) for text in texts]
    node.cells[-2:-2] = [new_markdown_cell(text) for text in covers]
    node.cells[-2:-2] = [show(text) for text in covers]
    return node


def _half_surrogates() -> NotebookNode:
    """Texts with half a surrogate pair, which UTF-8 cannot encode."""
    node = notebook(WRONG_ANSWER)
    node.cells[1:1] = [new_code_cell("x = '\ud800'"), new_markdown_cell("hello \ud800")]
    return node


def _endless_rewriting() -> NotebookNode:
    """A split cell with shell commands, which IPython rewrites in a time that grows with the square of their number."""
    node = notebook("x = 1\n" * 20_000 + "!true\n" * 499 + WRONG_ANSWER)
    node.cells.insert(2, copy.deepcopy(node.cells[1]))
    return node


def _slow_markdown() -> NotebookNode:
    """Markdown that its parsers read slowly."""
    node = notebook(WRONG_ANSWER)
    node.cells.insert(1, new_markdown_cell("# a" + " " * 30_000 + "b"))
    node.cells.insert(1, new_markdown_cell("\\begin{a}" * 8000))
    return node


def _slow_code() -> NotebookNode:
    """Code that Python compiles slowly: a chain of 50,000 attributes."""
    node = notebook(WRONG_ANSWER)
    node.cells[1:1] = [new_code_cell("a." * 50_000 + "a") for _ in range(8)]
    return node


def _long_html() -> NotebookNode:
    """Unclosed HTML tags, which a parser opens again in each paragraph."""
    text = "".join(f"<b title={i}>" for i in range(700)) + "<p>x" * 2400
    show = code("""
        from IPython.display import HTML, display
        display(HTML('<p>' + ''.join(f'<b title={i}>' for i in range(3000)) + '</p>' + '<p>x' * 12000))
    """)
    node = notebook(WRONG_ANSWER)
    node.cells[1:1] = [new_code_cell(show), *(new_markdown_cell(text) for _ in range(8))]
    return node


NOTEBOOK_ATTACKS: dict[str, Callable[[], NotebookNode]] = {
    "skip_tags": _skip_tags,
    "flipped_flags": _flipped_flags,
    "more_points": _more_points,
    "replaced_test": _replaced_test,
    "other_ids": _other_ids,
    "strange_metadata": _strange_metadata,
    "foreign_links": _foreign_links,
    "half_surrogates": _half_surrogates,
    "endless_rewriting": _endless_rewriting,
    "slow_markdown": _slow_markdown,
    "slow_code": _slow_code,
    "long_html": _long_html,
}
