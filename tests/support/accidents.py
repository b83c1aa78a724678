"""Accidents of honest students: right answers to the tiny assignment in odd files, and files that nobody can read."""

import copy
import json
from collections.abc import Callable
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from tests.support.code import code
from tests.support.tiny_course import notebook, written

Damage = Callable[[NotebookNode], NotebookNode]
"""Changes a notebook and returns it."""


def accidents() -> dict[str, bytes]:
    """Return files with right answers in odd notebooks: each must earn every point."""
    found = {name: written(damage(notebook())) for name, damage in DAMAGED_NOTEBOOKS.items()}
    plain = found["as it should be"]
    indented = json.dumps(json.loads(plain), indent=1)
    return found | {
        "byte order mark": b"\xef\xbb\xbf" + plain,
        "windows lines": indented.replace("\n", "\r\n").replace("\\n", "\\r\\n").encode(),
        "nbformat 3": json.dumps(_in_version_3(notebook())).encode(),
        "nbformat 4.0": json.dumps(_in_version_4_0(plain)).encode(),
        "élève à côté": plain,
    }


def unreadable() -> dict[str, bytes]:
    """Return files that cannot be read: each earns no points and gets a reason, and the class is still graded."""
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


def _in_version_3(node: NotebookNode) -> dict[str, Any]:
    """Return a notebook as Jupyter stored it until 2015: cells are in a worksheet, code cells have an ``input``."""
    cells = [
        {"cell_type": "code", "language": "python", "input": cell.source, "outputs": [], "collapsed": False, "metadata": cell.metadata}
        if cell.cell_type == "code" else {"cell_type": "markdown", "source": cell.source, "metadata": {}}
        for cell in node.cells
    ]  # fmt: skip
    worksheet = {"cells": cells, "metadata": {}}
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": "tiny"}, "worksheets": [worksheet]}


def _in_version_4_0(content: bytes) -> dict[str, Any]:
    """Return a notebook whose cells have no ids and a list of lines as their source."""
    node: dict[str, Any] = json.loads(content)
    node["nbformat_minor"] = 0
    for cell in node["cells"]:
        del cell["id"]
        cell["source"] = cell["source"].splitlines(keepends=True)
    return node


def _split(node: NotebookNode) -> NotebookNode:
    """Split the cell of ``add`` in the middle of the function."""
    second = copy.deepcopy(node.cells[1])
    node.cells[1].source, second.source = "def add(x):", "    return x + 1"
    node.cells.insert(2, second)
    return node


def _split_whole(node: NotebookNode) -> NotebookNode:
    """Split the cell of ``add`` before the function."""
    second = copy.deepcopy(node.cells[1])
    node.cells[1].source = "one = 1"
    second.source = code("""
        def add(x):
            return x + one
    """)
    node.cells.insert(2, second)
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
    """Paste two pictures into texts: one is in the file, the other is lost."""
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    text = "![image.png](attachment:image.png)"
    node.cells.insert(1, new_markdown_cell(text, attachments={"image.png": {"image/png": pixel}}))
    node.cells.insert(1, new_markdown_cell(text))
    return node


def _empty_cells(node: NotebookNode) -> NotebookNode:
    node.cells[1:1] = [new_code_cell(""), new_code_cell("  \n")]
    return node


def _with_cells(*sources: str) -> Damage:
    """Return a function that puts code cells before ``add``."""

    def damage(node: NotebookNode) -> NotebookNode:
        node.cells[1:1] = [new_code_cell(code(source)) for source in sources]
        return node

    return damage


DAMAGED_NOTEBOOKS: dict[str, Damage] = {
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
    "pictures": _pictures,
    "failing cell": _with_cells("raise ValueError('mine')"),
    "syntax error": _with_cells("x = x.view( TO DO )"),
    "input": _with_cells("name = input('your name? ')"),
    "absolute path": _with_cells("open('/home/marie/Bureau/données.csv')"),
    "empty cells": _empty_cells,
    "installs": _with_cells(
        """
        !pip install --quiet numpy
        %pip install numpy
        """,
        """
        %matplotlib inline
        %time 1 + 1
        !ls
        """,
    ),
    "plot window": _with_cells("""
        import matplotlib
        matplotlib.use('TkAgg')
        import matplotlib.pyplot as plt
        plt.plot([1])
        plt.show()
    """),
    "needs network": _with_cells("""
        import urllib.request
        urllib.request.urlopen('https://example.org', timeout=2)
    """),
    "warnings": _with_cells("""
        import sys, warnings
        warnings.warn('deprecated')
        print('careful', file=sys.stderr)
    """),
    "prints a lot": _with_cells("""
        for i in range(200_000):
            print(i, 'x' * 20)
    """),
    "own script": _with_cells(r"""
        name = './evaluation_modèle.sh'
        open(name, 'w').write('#!/bin/sh\nsleep 1')
        !chmod +x {name}
        !{name}
    """),
    "own main": _with_cells("""
        if __name__ == '__main__':
            print('ça marche, évidemment')
    """),
}
