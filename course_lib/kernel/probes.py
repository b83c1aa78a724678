"""Runs a probe: a function of the hidden tests that works with the names of the student's notebook.

A probe is sent as source. It runs after all cells of the notebook have run, in a fork of the kernel (see
:mod:`course_lib.kernel.snapshot`), or else in a kernel that ends with it. So the student's code cannot save or display
it.
"""

import __future__

import linecache
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from traceback import walk_tb
from types import FrameType, ModuleType
from typing import Any

from ..files import PACKAGE

FILE = "<probe>"
"""The file name of a probe's code."""

OWN_MODULES = ("__main__", "builtins")
"""The modules that a student's class can be in: the notebook, or ``builtins`` in a test of the kit."""

NAME = "probe"
"""The name of the module that a probe's code runs in."""

_OTHERS_CODE = tuple({sys.prefix, sys.base_prefix, str(PACKAGE), *sysconfig.get_paths().values()})
"""Folders of code that is neither the student's nor the author's."""


class MissingName(Exception):
    """The notebook does not define this name."""


class ProbeError(Exception):
    """An exception in the probe's own lines.

    Args:
        line: the line number in the author's file.
    """

    def __init__(self, error: BaseException, line: int) -> None:
        self.error = error
        self.line = line
        super().__init__(f"line {line}: {type(error).__name__}: {error}")


class StudentNames:
    """The global names of the student's notebook, as attributes: ``nb.softmax``.

    A probe may also set them: ``nb.np = watched``.
    """

    def __init__(self, namespace: MutableMapping[str, Any]) -> None:
        object.__setattr__(self, "_namespace", namespace)

    def __getattr__(self, name: str) -> Any:
        if name not in self._namespace:
            raise MissingName(name)
        return self._namespace[name]

    def __setattr__(self, name: str, value: object) -> None:
        self._namespace[name] = value


def load(source: str, name: str) -> Callable[..., object]:
    """The function ``name`` of a probe's ``source``.

    Raises:
        ProbeError: if the source cannot be run, for example because a package is missing.
    """
    module = ModuleType(NAME)
    linecache.cache[FILE] = (len(source), None, source.splitlines(keepends=True), FILE)
    sys.modules[NAME] = module  # dataclasses and pickle look a class up in its module
    try:
        exec(compile(source, FILE, "exec", __future__.annotations.compiler_flag), vars(module))
    except BaseException as error:
        raise ProbeError(error, _line(error)) from error
    function: Callable[..., object] = vars(module)[name]
    return function


def run(
    function: Callable[..., object],
    namespace: MutableMapping[str, Any],
    arguments: Sequence[Any],
    keywords: MutableMapping[str, Any],
) -> object:
    """What a probe returns.

    Args:
        function: made by :func:`load`.
        namespace: the global variables of the notebook.
        arguments: positional arguments after the notebook.
        keywords: keyword arguments.

    Raises:
        MissingName: if the probe needs a name that the notebook lacks.
        ProbeError: if the probe's own lines raised an exception.
        BaseException: whatever the student's code raised.
    """
    try:
        return function(StudentNames(namespace), *arguments, **keywords)
    except MissingName:
        raise
    except BaseException as error:
        if is_students_fault(error, namespace):
            raise
        raise ProbeError(error, _line(error)) from error


def is_students_fault(error: BaseException, namespace: MutableMapping[str, Any]) -> bool:
    """Whether an exception that reached a probe came from the student's code, and not from the probe's own lines.

    The innermost frame that belongs to either decides; library frames count for their caller. A model counts
    as the student's, even if all its code is torch's.
    """
    in_models = False
    for frame, number in reversed([*walk_tb(error.__traceback__)]):
        if frame.f_code.co_filename == FILE:
            return in_models or _is_about_students(error, frame, number, namespace)
        if is_students_file(frame.f_code.co_filename):
            return True
        in_models |= "torch" in sys.modules and isinstance(frame.f_locals.get("self"), sys.modules["torch"].nn.Module)
    return False


def _is_about_students(
    error: BaseException, frame: FrameType, number: int, namespace: MutableMapping[str, Any]
) -> bool:
    """Whether an exception on a line of the probe is really the student's fault.

    That is so for a call that does not match the student's function, an operator or attribute that the student's class
    lacks, or a None that a student's function returned.

    Args:
        error: the exception.
        frame: the innermost frame of the probe.
        number: the line number where it was raised.
        namespace: the global variables of the notebook.
    """
    if not isinstance(error, TypeError | AttributeError):
        return False
    message = str(error)
    called = message.partition("(")[0].partition(".")[0]  # "Model.forward() missing 1 required ..."
    if ("() " in message and called in (*namespace, "<lambda>")) or "object is not callable" in message:
        return True
    named = [namespace.get(name) for name in re.findall(r"'(\w+)'", message)]
    if any(isinstance(value, type) and value.__module__ in OWN_MODULES for value in named):
        return True
    line = linecache.getline(FILE, number)
    return "NoneType" in message and ("nb." in line or any(value is None for value in frame.f_locals.values()))


def is_students_file(name: str) -> bool:
    """Whether the code of this file is the student's: a cell, or a module next to the notebook."""
    if name.startswith("<"):
        return name.startswith("<ipython-input")
    return not name.startswith(_OTHERS_CODE)


def student_lines(error: BaseException) -> Iterator[str]:
    """The lines of the student's code in an exception's traceback, innermost first."""
    for frame, number in reversed([*walk_tb(error.__traceback__)]):
        if is_students_file(frame.f_code.co_filename):
            yield linecache.getline(frame.f_code.co_filename, number).strip()


def _line(error: BaseException) -> int:
    """The innermost line of the probe in an exception's traceback; 0 if there is none."""
    if isinstance(error, SyntaxError) and error.filename == FILE:
        return error.lineno or 0
    lines = [number for frame, number in walk_tb(error.__traceback__) if frame.f_code.co_filename == FILE]
    return lines[-1] if lines else 0
