"""Runs the code of a classic grade cell, hidden lines included, in a fork of the student's kernel.

Changes that the student's cells made to IPython have no effect here: the code is translated, compiled and run without
the notebook's shell, and Python's built-in functions are restored. ``==`` is false if one side claims to equal
everything. The verdict is still made in the student's process: objects that lie in other ways, or replaced functions of
a library, can forge it.
"""

import ast
import asyncio
import builtins
import inspect
import linecache
import math
from collections.abc import MutableMapping
from numbers import Real
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.inputtransformer2 import TransformerManager

FILE = "<grade cell>"
"""The file name of a grade cell's code."""

_EQUAL = "_course_lib_equal"
"""The name under which a grade cell finds :func:`equal`."""

# taken at import, before any code of the student's runs
_BUILTINS = dict(vars(builtins))
_parse, _compile, _eval = ast.parse, compile, eval
_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_transform = TransformerManager.transform_cell
_ends_with_semicolon = DisplayHook.semicolon_at_end_of_expression


def run_grade_cell(source: str, namespace: MutableMapping[str, Any]) -> float | None:
    """Run a grade cell.

    Args:
        source: its code; magics and shell lines are allowed.
        namespace: the global variables of the notebook.

    Returns:
        The value of its last line if that is a number, which nbgrader takes as points; otherwise None.

    Raises:
        BaseException: whatever its code raises.
    """
    vars(builtins).update(_BUILTINS)
    code = _transform(TransformerManager(), source)
    linecache.cache[FILE] = (len(code), None, code.splitlines(keepends=True), FILE)
    tree = ast.fix_missing_locations(_HonestEquality().visit(_parse(code, FILE)))
    namespace[_EQUAL] = equal
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    _run(_compile(tree, FILE, "exec", _FLAGS), namespace)
    if last is None:
        return None
    value = _run(_compile(ast.Expression(last.value), FILE, "eval", _FLAGS), namespace)
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return float(value) if is_number and not _ends_with_semicolon(code) else None


class _HonestEquality(ast.NodeTransformer):
    """Replaces ``a == b`` by ``equal(a, b)``; except where either side is ``unittest.mock.ANY``."""

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.Compare(left, [ast.Eq()], [right]):
                if not any(ast.unparse(side).endswith("ANY") for side in (left, right)):
                    called = ast.Name(_EQUAL, ast.Load())
                    return ast.copy_location(ast.Call(called, [left, right], []), node)
        return node


def equal(a: object, b: object) -> object:
    """``a == b``; but False if either side also equals a fresh object, or a second, different number."""
    answer = a == b
    return False if _claims_too_much(a, b) or _claims_too_much(b, a) else answer


def _claims_too_much(value: Any, other: Any) -> bool:
    """Whether ``value`` equals a new object, or a number in addition to ``other``."""
    try:
        if value == object():
            return True
        is_number = isinstance(other, int | float) and not isinstance(other, bool) and math.isfinite(other)
        return is_number and bool(value == other) and bool(value == float(other) + max(1.0, abs(float(other))))
    except Exception:  # an array of several elements has no truth value
        return False


def _run(code: Any, namespace: Any) -> Any:
    """Run compiled code. If it uses ``await``, run it to completion."""
    value = _eval(code, namespace)
    if code.co_flags & inspect.CO_COROUTINE:
        return asyncio.new_event_loop().run_until_complete(value)
    return value
