"""The tests keep to the project's conventions: short names, and no private names of ``course_lib``."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.code import code

TESTS = Path(__file__).parent
FILES = sorted([*TESTS.glob("*.py"), *(TESTS / "support").glob("*.py")])

PUBLIC = ("os._exit",)
"""Public functions whose names look private."""


def names_of_tests(tree: ast.AST) -> Iterator[str]:
    """Generate the names of the test functions in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name


def is_private(name: str) -> bool:
    """Tell whether a name is private; Python's and IPython's methods, such as ``_repr_html_``, are public."""
    return name.startswith("_") and not name.endswith("_")


def private_names(tree: ast.AST) -> Iterator[str]:
    """Generate the private names that a file imports, reads from another object than ``self``, or replaces."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(names=names):
                yield from (alias.name for alias in names if is_private(alias.name))
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name) if is_private(name) and ast.unparse(node) not in PUBLIC:
                yield ast.unparse(node)
            case ast.Call(func=ast.Attribute(attr="setattr" | "delattr"), args=[*arguments]):
                texts = [argument.value for argument in arguments[:2] if isinstance(argument, ast.Constant)]
                yield from (text for text in texts if isinstance(text, str) and is_private(text.split(".")[-1]))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_name_of_a_test_is_short(path: Path) -> None:
    too_long = [name for name in names_of_tests(ast.parse(path.read_text())) if len(name) >= 60]
    assert too_long == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_test_uses_no_private_name(path: Path) -> None:
    private = list(private_names(ast.parse(path.read_text())))
    assert private == []


def test_each_use_of_a_private_name_is_found() -> None:
    program = code("""
        from module import _a
        module._b
        monkeypatch.setattr(module, "_c", 1)
        monkeypatch.setattr("module._d", 1)
        self._own
        os._exit
        module.__dict__
        card._repr_html_
    """)
    assert set(private_names(ast.parse(program))) == {"_a", "module._b", "_c", "module._d"}
