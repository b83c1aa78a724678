"""A tiny assignment, and submissions to it: attacks, accidents, honest answers.

Two functions to write: ``add(x)``, 2 points, and ``mean(t)``, 1 point. An attack puts its code where ``add`` should be
and answers ``mean`` right: it must earn what any wrong ``add`` earns, and its own ``mean`` shows that the attack before
it, in the same worker, has changed nothing.
"""

import copy
import functools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import nbformat
from courses import nbgrader
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).parents[1]
ATTACKS = Path(__file__).with_name("attacks")
CANARY = "canary_7c1e9d"
"""Stands in the hidden tests, the source's answers, the grader's environment and one student's answer."""

ADD, MEAN = "def add(x):\n    return x + 1", "def mean(t):\n    return t.mean()"
PYTHON = {"name": "python3", "display_name": "Python 3", "language": "python"}
HONEST = {"test_add": 2.0, "test_mean": 1.0}
WRONG_ADD = {"test_add": 0.0, "test_mean": 1.0}

HIDDEN_TESTS = {
    "test_add": f"""
# {CANARY}_test
from course_lib.authoring.hidden_tests import hidden_test

@hidden_test(1.5, fr="add ajoute 1.", en="add adds 1.")
def test_adds_one(student):
    secret = "{CANARY}_test"
    for x in (40.25, -7.5, 3.0):
        assert student.number("add", x) == x + 1, secret

@hidden_test(0.5, fr="add ajoute 1 aux grands nombres.", en="add adds 1 to large numbers.")
def test_adds_one_to_a_large_number(student):
    assert student.number("add", 1e6) == 1e6 + 1
""",
    "test_mean": f"""
# {CANARY}_test
import torch
from course_lib.authoring.hidden_tests import hidden_test

@hidden_test(1, fr="mean donne la moyenne.", en="mean gives the mean.")
def test_mean(student):
    t = torch.arange(7.0)
    assert student.number("mean", t) == 3.0
""",
}

STOCK_TESTS = {  # the same, as nbgrader has them: in the cell
    "test_add": f"### BEGIN HIDDEN TESTS\n# {CANARY}_test\nassert add(40.25) == 41.25\nassert add(-7.5) == -6.5\n### END HIDDEN TESTS",
    "test_mean": f"### BEGIN HIDDEN TESTS\n# {CANARY}_test\nimport torch\nassert mean(torch.arange(7.0)) == 3.0\n### END HIDDEN TESTS",
}


def cell(name: str, source: str, **meta: object) -> NotebookNode:
    """A code cell with nbgrader's metadata: neither grade nor solution nor locked, unless ``meta`` says so."""
    values = {"grade_id": name, "grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
    return new_code_cell(source, id=name, metadata={"nbgrader": values | meta})


def task(source: str) -> NotebookNode:
    """A cell that nbgrader calls a manually graded task, with three points: it has neither tests nor an answer."""
    values = {"grade_id": "draw", "grade": False, "solution": False, "locked": True, "task": True, "points": 3}
    return new_markdown_cell(source, id="draw", metadata={"nbgrader": values | {"schema_version": 3}})


def notebook(add: str = ADD, mean: str = MEAN, extra: tuple[str, ...] = (), tests: bool = False) -> NotebookNode:
    """The assignment's notebook with these answers; ``extra`` cells follow ``add``."""
    hidden = STOCK_TESTS if tests else dict.fromkeys(STOCK_TESTS, "")
    cells = [
        new_markdown_cell("# Tiny\n\nWrite `add` and `mean`.", id="title"),
        cell("add", add, solution=True),
        *(new_code_cell(source) for source in extra),
        cell("test_add", f"add(1.0)\n{hidden['test_add']}".strip(), grade=True, locked=True, points=2),
        cell("mean", mean, solution=True),
        cell("test_mean", f"mean\n{hidden['test_mean']}".strip(), grade=True, locked=True, points=1),
    ]
    return new_notebook(cells=cells, metadata={"kernelspec": PYTHON})


def make_source(folder: Path, stock: bool = False) -> None:
    """Put the assignment's source into a course folder; ``stock`` has the hidden tests in the cells, for nbgrader."""
    answer = f"### BEGIN SOLUTION\n# {CANARY}_source\n{{}}\n### END SOLUTION"
    source = notebook(answer.format(ADD), answer.format(MEAN), tests=stock)
    (folder / "source" / "tiny").mkdir(parents=True)
    nbformat.write(source, folder / "source" / "tiny" / "tiny.ipynb")
    if not stock:
        tests = folder / "grader_tests" / "tiny"
        tests.mkdir(parents=True)
        for name, text in HIDDEN_TESTS.items():
            (tests / f"{name}.py").write_text(text)


def make_course(folder: Path, limits: dict[str, float], workers: int = 1) -> None:
    """A course folder with the kit's configuration and the assignment; tests run on every core, so one worker is fast."""
    folder.mkdir(parents=True, exist_ok=True)
    config = (ROOT / "nbgrader_config.py").read_text()
    (folder / "nbgrader_config.py").write_text(
        f"{config}\nc.JudgedAutograde.limits = {{'threads': 1}} | {limits}\nc.JudgedAutograde.workers = {workers}\n"
    )
    make_source(folder)


def release(folder: Path) -> None:
    """Generate the assignment in a course folder: nbgrader does it once, what it made is copied from then on."""
    made = Path(_released().name)
    shutil.copytree(made / "release", folder / "release")
    shutil.copy(made / "gradebook.db", folder)


@functools.cache
def _released() -> tempfile.TemporaryDirectory[str]:
    """A course that has the assignment generated, as long as this process lives."""
    folder = tempfile.TemporaryDirectory()
    make_course(Path(folder.name), {})
    run = nbgrader(Path(folder.name), "generate_assignment", "tiny")
    assert run.returncode == 0, run.stderr
    return folder


def hand_in(folder: Path, student: str, content: bytes) -> None:
    """Put a submission into a course folder."""
    target = folder / "submitted" / student / "tiny"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    (target / "tiny.ipynb").write_bytes(content)


def written(node: NotebookNode) -> bytes:
    """A notebook as a file, whatever is wrong with it."""
    return json.dumps(node).encode()


def attacks() -> dict[str, bytes]:
    """Every attack: the files of ``tests/attacks``, and those on a notebook's metadata."""
    found = {path.stem: written(notebook(path.read_text())) for path in sorted(ATTACKS.glob("*.py"))}
    return found | {name: written(make()) for name, make in METADATA_ATTACKS.items()}


# -- attacks on metadata ------------------------------------------------------------------------------------------------

WRONG = "def add(x):\n    return 0.0"


def _skip_tags() -> NotebookNode:
    node = notebook(WRONG)
    for cell in node.cells:
        cell.metadata["tags"] = ["skip-execution", "raises-exception"]
    return node


def _flipped_flags() -> NotebookNode:
    node = notebook(WRONG)
    test = node.cells[2]
    test.source = "2.0"
    test.metadata.nbgrader |= {"grade": False, "solution": True, "locked": False}
    return node


def _more_points() -> NotebookNode:
    node = notebook(WRONG)
    node.cells[2].metadata.nbgrader["points"] = 200
    node.cells[4].metadata.nbgrader |= {"points": 50, "checksum": "0"}
    return node


def _replaced_test() -> NotebookNode:
    node = notebook(WRONG)
    node.cells[2].source = "pass"
    return node


def _other_ids() -> NotebookNode:
    """The right `mean` under the ids of both answers, and tests that point at each other."""
    node = notebook(WRONG)
    extra = copy.deepcopy(node.cells[3])
    extra.metadata.nbgrader["grade_id"] = "test_add"
    extra.metadata.nbgrader |= {"grade": True, "points": 2}
    node.cells.append(extra)
    return node


def _strange_metadata() -> NotebookNode:
    node = notebook(WRONG)
    node.metadata = {"kernelspec": {"name": "../../evil", "display_name": 3}, "course_lib": {"cells": [{"score": 3}]}}
    node.cells[1].metadata["nbgrader"] |= {"schema_version": 99, "points": {"a": 1}, "remote": True}
    node.cells[0].metadata = {"nbgrader": {"grade_id": ["add"]}, "course_lib_extra": {"deep": [[[]]]}}
    return node


def _foreign_links() -> NotebookNode:
    node = notebook(WRONG)
    cover = "<div style='opacity:0.01;height:6000px;margin:-2700px 0 -3300px 0;font-size:90px;overflow:hidden'>"
    request = "<div style='background: image-set(\"http://127.0.0.1:9/{}\" 1x)'>x</div>"
    covers = ["<a href='https://evil.example/' style='padding:3000px'>.</a>", "<sup style='font-size:400px'>2/2</sup>"]
    covers += ["<span style='padding:250px 2000px;background:white;border:50px solid white'> </span>"]
    covers += [r"$\smash{\raise 200px{\rlap{\color{white}{\rule[-200px]{900px}{500px}}}}}$", request]
    links = ["javascript:void(1)", "&#106;avascript:void(1)", "JaVaScript&colon;void(1)", "data:text/html,<b>x</b>"]
    texts = [f"{cover}\n\n[{'█' * 50}]({link})\n\n</div>" for link in links]
    texts += ["![](http://127.0.0.1:9/x.png) ![](/formgrader/api/x) <img src='http://127.0.0.1:9/y.png'>"]
    texts += ["<script>alert(1)</script><iframe src='/'></iframe><p onclick='alert(1)' class='modal-backdrop'>p</p>"]
    node.cells[2:2] = [new_markdown_cell(text) for text in texts]
    node.cells[-2:-2] = [new_markdown_cell(text) for text in covers]
    shown = [
        f"from IPython.display import HTML, Latex, display\ndisplay(HTML({text!r}), Latex({text!r}))" for text in covers
    ]
    node.cells[-2:-2] = [new_code_cell(text) for text in shown]
    return node


def _half_surrogates() -> NotebookNode:
    node = notebook(WRONG)
    node.cells[1:1] = [new_code_cell("x = '\ud800'"), new_markdown_cell("hello \ud800")]
    return node


def _endless_rewriting() -> NotebookNode:
    """A split cell whose parts IPython rewrites line by line, in a time that grows with the square."""
    node = notebook("x = 1\n" * 20_000 + "!true\n" * 499 + WRONG)
    node.cells.insert(2, copy.deepcopy(node.cells[1]))
    return node


def _slow_markdown() -> NotebookNode:
    node = notebook(WRONG)
    node.cells.insert(1, new_markdown_cell("# a" + " " * 30_000 + "b"))
    node.cells.insert(1, new_markdown_cell("\\begin{a}" * 8000))
    return node


def _slow_code() -> NotebookNode:
    node = notebook(WRONG)
    node.cells[1:1] = [new_code_cell("a." * 50_000 + "a") for _ in range(8)]
    return node


def _long_html() -> NotebookNode:
    """Unclosed tags, which a parser opens again in each paragraph."""
    node = notebook(WRONG)
    text = "".join(f"<b title={i}>" for i in range(700)) + "<p>x" * 2400
    more = "'<p>' + ''.join(f'<b title={i}>' for i in range(3000)) + '</p>' + '<p>x' * 12000"
    node.cells[1:1] = [new_markdown_cell(text) for _ in range(8)]
    node.cells[1:1] = [new_code_cell(f"from IPython.display import HTML, display\ndisplay(HTML({more}))")]
    return node


METADATA_ATTACKS: dict[str, Callable[[], NotebookNode]] = {
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


# -- accidents of honest students ---------------------------------------------------------------------------------------


def _split(node: NotebookNode) -> NotebookNode:
    second = copy.deepcopy(node.cells[1])
    node.cells[1].source, second.source = "def add(x):", "    return x + 1"
    node.cells.insert(2, second)
    return node


def _split_whole(node: NotebookNode) -> NotebookNode:
    node.cells.insert(2, copy.deepcopy(node.cells[1]))
    node.cells[1].source = "one = 1"
    node.cells[2].source = "def add(x):\n    return x + one"
    return node


def _moved(node: NotebookNode) -> NotebookNode:
    node.cells.reverse()
    return node


def _without_tests(node: NotebookNode) -> NotebookNode:
    node.cells = [cell for cell in node.cells if "test" not in cell.id]
    return node


def _without_metadata(node: NotebookNode) -> NotebookNode:
    for cell in node.cells:
        cell.metadata = {}
    return node


def _other_kernel(node: NotebookNode) -> NotebookNode:
    node.metadata["kernelspec"] = {"name": "conda-env-dl-py", "display_name": "Python [conda]", "language": "python"}
    return node


def _large_outputs(node: NotebookNode) -> NotebookNode:
    node.cells[1].outputs = [new_output("stream", text="x" * 30_000_000)]
    return node


def _with_cells(*sources: str) -> Callable[[NotebookNode], NotebookNode]:
    def damage(node: NotebookNode) -> NotebookNode:
        node.cells[1:1] = [new_code_cell(source) for source in sources]
        return node

    return damage


def _new_schema(node: NotebookNode) -> NotebookNode:
    for cell in node.cells[1:]:
        cell.metadata.nbgrader["schema_version"] = 4
    return node


def _old_schema(node: NotebookNode) -> NotebookNode:
    for cell in node.cells[1:]:
        cell.metadata.nbgrader = {
            k: v for k, v in cell.metadata.nbgrader.items() if k in ("grade_id", "grade", "solution", "points")
        }
    return node


def _pictures(node: NotebookNode) -> NotebookNode:
    """Pasted into a text: one that is there, one that got lost."""
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    text = "![image.png](attachment:image.png)"
    node.cells.insert(1, new_markdown_cell(text, attachments={"image.png": {"image/png": pixel}}))
    node.cells.insert(1, new_markdown_cell(text))
    return node


ACCIDENTS: dict[str, Callable[[NotebookNode], NotebookNode]] = {
    "as it should be": lambda node: node,
    "split": _split,
    "split whole": _split_whole,
    "moved": _moved,
    "without tests": _without_tests,
    "without metadata": _without_metadata,
    "other kernel": _other_kernel,
    "large outputs": _large_outputs,
    "new schema": _new_schema,
    "old schema": _old_schema,
    "failing cell": _with_cells("raise ValueError('mine')"),
    "syntax error": _with_cells("x = x.view( TO DO )"),
    "input": _with_cells("name = input('your name? ')"),
    "installs": _with_cells("!pip install --quiet numpy\n%pip install numpy", "%matplotlib inline\n%time 1 + 1\n!ls"),
    "plot window": _with_cells("import matplotlib\nmatplotlib.use('TkAgg')\nimport matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()"),
    "absolute path": _with_cells("open('/home/marie/Bureau/données.csv')"),
    "needs network": _with_cells("import urllib.request\nurllib.request.urlopen('https://example.org', timeout=2)"),
    "warnings": _with_cells("import sys, warnings\nwarnings.warn('deprecated')\nprint('careful', file=sys.stderr)"),
    "prints a lot": _with_cells("for i in range(200_000):\n    print(i, 'x' * 20)"),
    "empty cells": _with_cells("", "  \n"),
    "own script": _with_cells(
        "name = './evaluation_modèle.sh'\nopen(name, 'w').write('#!/bin/sh\\nsleep 1')\n!chmod +x {name}\n!{name}"
    ),
    "pictures": _pictures,
    "own main": _with_cells("if __name__ == '__main__':\n    print('ça marche, évidemment')"),
}  # fmt: skip


def accidents() -> dict[str, bytes]:
    """Honest right answers, in odd files: each must earn every point."""
    found = {name: written(damage(notebook())) for name, damage in ACCIDENTS.items()}
    plain = found["as it should be"]
    old = notebook()
    version3 = {
        "nbformat": 3, "nbformat_minor": 0, "metadata": {"name": "tiny"},
        "worksheets": [{"cells": [
            {"cell_type": "code", "language": "python", "input": c.source, "outputs": [], "collapsed": False, "metadata": c.metadata}
            if c.cell_type == "code" else {"cell_type": "markdown", "source": c.source, "metadata": {}}
            for c in old.cells
        ], "metadata": {}}],
    }  # fmt: skip
    without_ids = json.loads(plain)
    without_ids["nbformat_minor"] = 0
    for cell in without_ids["cells"]:
        del cell["id"]
        cell["source"] = cell["source"].splitlines(keepends=True)
    return found | {
        "byte order mark": b"\xef\xbb\xbf" + plain,
        "windows lines": json.dumps(json.loads(plain), indent=1)
        .replace("\n", "\r\n")
        .replace("\\n", "\\r\\n")
        .encode(),
        "nbformat 3": json.dumps(version3).encode(),
        "nbformat 4.0": json.dumps(without_ids).encode(),
        "élève à côté": plain,
    }


def unreadable() -> dict[str, bytes]:
    """Files that cannot be read at all: no points, a reason, and nobody else is stopped."""
    plain = written(notebook())
    return {
        "truncated": plain[: len(plain) // 2],
        "empty file": b"",
        "not json": b"import torch",
        "not utf-8": plain.replace(b"Tiny", b"T\xe9ny"),
        "a list": b"[1, 2]",
        "a number": b"1e999",
        "no cells": b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        "cells of no kind": b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1, "a", null]}',
        "deep": b"[" * 200_000,
        "from the future": b'{"nbformat": 9, "nbformat_minor": 0, "metadata": {}, "cells": "none"}',
        "a zip": b"PK\x03\x04" + bytes(100),
    }
