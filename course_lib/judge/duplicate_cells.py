"""Rejoin the pieces of a cell that a student split or duplicated."""

import ast
import itertools
import re

from ..authoring.student_code import parsed


def separate_earlier_attempts(pieces: list[str]) -> tuple[list[str], list[str]]:
    """Separate earlier attempts from the final answer.

    A student who copies a cell leaves earlier tries above the last one. A student who splits a cell leaves pieces that
    belong together. The first pieces count as earlier tries as long as the last piece redefines everything that they
    define.

    Args:
        pieces: sources of code cells, from top to bottom.

    Returns:
        The earlier tries, and the pieces of the answer.
    """
    defined = [set() if code is None else _defined_names(code) for code in map(parsed, pieces)]
    tries = itertools.takewhile(lambda names: names and names <= defined[-1], defined[:-1])
    n = len(list(tries))
    return pieces[:n], pieces[n:]


def _defined_names(code: ast.Module) -> set[str]:
    """The names that a cell defines or imports, except inside its functions and classes."""
    names = set()
    for statement in code.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.alias):
                names.add(node.asname or node.name)
    return names


def join_code(pieces: list[str]) -> str:
    """Join the pieces of a code cell. If the result is not valid Python, join only the pieces that are."""
    pieces = pieces[:1] + [re.sub(r"\A\s*%%time\b.*", "", piece) for piece in pieces[1:]]  # only valid in line 1
    joined = "\n".join(pieces)
    if parsed(joined) is None:
        valid = [piece for piece in pieces if parsed(piece) is not None]
        return "\n".join(valid) if valid else joined
    return joined


def is_empty(source: str) -> bool:
    """Whether code does nothing: the student deleted the stub, and wrote at most comments or ``pass``."""
    code = parsed(source)
    return code is not None and all(isinstance(statement, ast.Pass) for statement in code.body)


def is_prose(source: str) -> bool:
    """Whether a code cell holds text for a person: not valid Python, or only comments and constants.

    Students often write text into a code cell, because new cells in Jupyter are code cells.
    """
    code = parsed(source)
    if code is None:
        return True
    return all(isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) for part in code.body)
