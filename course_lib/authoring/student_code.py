"""Reads the code of a student's notebook without running it: what it defines and what it uses."""

import ast
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from IPython.core.inputtransformer2 import TransformerManager

from ..results.result import printable

SYNTAX: dict[str, tuple[type[ast.AST], ...]] = {
    "for": (ast.For, ast.AsyncFor, ast.comprehension),
    "while": (ast.While,),
    "if": (ast.If, ast.IfExp),
    "try": (ast.Try,),
    "with": (ast.With, ast.AsyncWith),
    "lambda": (ast.Lambda,),
    "yield": (ast.Yield, ast.YieldFrom),
    "comprehension": (ast.comprehension,),
    "@": (ast.MatMult,),
}
"""The words for parts of the language that :meth:`StudentCode.uses` knows, besides names."""


def parsed(source: str) -> ast.Module | None:
    """The syntax tree of a code cell, with magics and shell commands as IPython runs them; None for invalid code."""
    try:
        with warnings.catch_warnings():  # such as those about "\\d": they are for the student, not for the grader
            warnings.simplefilter("ignore")
            code: ast.Module = ast.parse(TransformerManager().transform_cell(source))
    except Exception:  # a SyntaxError, or an IPython error about deeply nested input
        return None
    return code


class StudentCode:
    """The code cells of a notebook.

    Args:
        cells: their sources, in order.
    """

    def __init__(self, cells: Sequence[str]) -> None:
        self._cells = cells

    @cached_property
    def _statements(self) -> list[ast.stmt]:
        """The top-level statements of all cells that can be parsed."""
        return [statement for tree in map(parsed, self._cells) if tree is not None for statement in tree.body]

    @property
    def names(self) -> set[str]:
        """The names that the top level of the cells defines."""
        return {name for statement in self._statements for name in names_bound(statement)}

    @property
    def own_names(self) -> set[str]:
        """The names that the top level of the cells defines, except imported ones."""
        own = (found for found in self._statements if not isinstance(found, ast.Import | ast.ImportFrom))
        return {name for statement in own for name in names_bound(statement)}

    @cached_property
    def _lines(self) -> set[str]:
        return {line.strip() for cell in self._cells for line in cell.splitlines()}

    def own_line(self, lines: Iterable[object]) -> str:
        """The first of ``lines`` that is in the notebook, shortened to 80 characters; empty if none is."""
        found = next((line for line in lines if isinstance(line, str) and line and line in self._lines), "")
        return printable(found)[:80]

    def definition(self, name: str) -> ast.stmt | None:
        """The last top-level statement that defines ``name``: a function, a class, an assignment or an import."""
        found = [statement for statement in self._statements if name in names_bound(statement)]
        return found[-1] if found else None

    def source(self, name: str) -> str:
        """The source of the last definition of ``name``; empty if there is none."""
        found = self.definition(name)
        return "" if found is None else ast.unparse(found)

    def uses(self, name: str, word: str) -> bool:
        """Whether the definition of ``name`` uses ``word``.

        Args:
            name: of a function, a class or a variable.
            word: a name, an attribute, a module or a keyword argument, such as ``softmax``; or one of :data:`SYNTAX`.
        """
        found = self.definition(name)
        return found is not None and any(_is_use(node, word) for node in ast.walk(found) if node is not found)


def names_bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a top-level statement defines."""
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name
        case ast.Import(names) | ast.ImportFrom(names=names):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in names)
        case _:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id


def _is_use(node: ast.AST, word: str) -> bool:
    if word in SYNTAX:
        return isinstance(node, SYNTAX[word])
    match node:
        case ast.Name(name) | ast.Attribute(attr=name) | ast.keyword(arg=name):
            return name == word
        case ast.alias(name=name):
            return word in name.split(".")
    return False
