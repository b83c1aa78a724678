"""The source of a probe, as it is sent to the student's kernel: the function and what it uses from its file."""

import ast
import inspect
import linecache
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import FunctionType

from ..files import PACKAGE
from .student_code import names_bound

PROBING = frozenset(
    ("run", "raises", "printed", "file", "axes", "instance", "take", "signature", "draws", "seconds", "outputs")
)
"""The methods of a student's notebook that need a snapshot of it, see :mod:`course_lib.kernel.snapshot`."""


class ProbeSourceError(ValueError):
    """A probe that cannot be sent; the message says why and how to change it."""


def probe_source(probe: Callable[..., object]) -> tuple[str, str]:
    """The source and the name of a probe.

    The source has the functions, classes, constants and imports of the same file that the probe uses. Each one keeps
    its line number in that file, so that an error names the author's line.

    Raises:
        ProbeSourceError: if the probe is not a function at the top level of a file, or uses something that a student's
            kernel lacks.
    """
    if not isinstance(probe, FunctionType) or "<" in probe.__qualname__ or "." in probe.__qualname__:
        raise ProbeSourceError(f"{probe!r} cannot be sent as a probe: write it with def, at the top level of its file")
    file = probe.__code__.co_filename
    text = "".join(linecache.getlines(file)) or inspect.getsource(inspect.getmodule(probe) or probe)
    return _extracted(text, file, probe.__name__), probe.__name__


@lru_cache
def _extracted(text: str, file: str, name: str) -> str:
    tree, lines = ast.parse(text), text.splitlines()
    definitions = {bound: statement for statement in tree.body for bound in names_bound(statement)}  # the last counts
    if name not in definitions:
        raise ProbeSourceError(f"{name} cannot be sent as a probe: {file} has no such function at its top level")
    needed: set[ast.stmt] = set()
    waiting = [name]
    while waiting:
        statement = definitions.get(waiting.pop())
        if statement is not None and statement not in needed:
            needed.add(statement)
            _check_import(statement, file, name)
            waiting += _names(statement)
    kept = [""] * len(lines)
    for statement in needed:
        decorators = getattr(statement, "decorator_list", [])
        first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
        kept[first - 1 : statement.end_lineno] = lines[first - 1 : statement.end_lineno]
    return "\n".join(kept)


@lru_cache
def names_asked(source: str) -> list[str]:
    """The student's names that a probe and its helpers ask for: the attributes of their first parameters."""
    asked = set()
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef) and function.args.args:
            first = function.args.args[0].arg
            for node in ast.walk(function):
                match node:
                    case ast.Attribute(ast.Name(of), attribute) if of == first:
                        asked.add(attribute)
    return sorted(asked)


def _names(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement uses, except in annotations, which are not evaluated."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        for field, value in ast.iter_fields(node):
            if field not in ("annotation", "returns"):
                parts = value if isinstance(value, list) else [value]
                waiting += [part for part in parts if isinstance(part, ast.AST)]
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id


def _check_import(statement: ast.stmt, file: str, name: str) -> None:
    """Refuse an import of anything that a student's kernel lacks: the hidden tests, the references, the judge."""
    if isinstance(statement, ast.ImportFrom) and statement.level:
        where = "." * statement.level + (statement.module or "")
    elif isinstance(statement, ast.ImportFrom):
        where = statement.module or ""
    elif isinstance(statement, ast.Import):
        where = next((alias.name for alias in statement.names if _is_hidden(alias.name, file)), "")
    else:
        return
    if where and (where.startswith(".") or _is_hidden(where, file)):
        raise ProbeSourceError(
            f"the probe {name} uses what {file}:{statement.lineno} imports from {where}. A student's kernel does not "
            "have it: write what the probe needs in its own file"
        )


def _is_hidden(module: str, file: str) -> bool:
    top, _, rest = module.partition(".")
    if top == "course_lib":
        folder = rest.partition(".")[0]  # a student's kernel has the modules directly in course_lib, and its own folder
        return folder not in ("", "kernel") and (PACKAGE / folder).is_dir()
    return top == "grader_tests" or any(Path(file).with_name(f"{top}{end}").exists() for end in ("", ".py"))


def probed_cells(tests: Mapping[str, Path]) -> set[str]:
    """The grade cells whose hidden tests send probes, or may do so: they use an attribute named in :data:`PROBING`.

    Args:
        tests: the file or folder of hidden tests, by grade cell.
    """
    folders = {path.parent for path in tests.values()}
    shared = [path for folder in folders for path in (*folder.glob("*.py"), *folder.parent.glob("*.py"))]
    if any(map(_probes, set(shared) - set(tests.values()))):  # any test may use it
        return set(tests)
    return {name for name, path in tests.items() if any(map(_probes, path.rglob("*.py") if path.is_dir() else [path]))}


def _probes(path: Path) -> bool:
    return _uses_attributes(path.read_text(encoding="utf-8"), PROBING)


@lru_cache
def _uses_attributes(text: str, names: Iterable[str]) -> bool:
    try:
        tree = ast.parse(text)
    except SyntaxError:  # pytest will name it
        return False
    return any(isinstance(node, ast.Attribute) and node.attr in names for node in ast.walk(tree))
