"""Runs hidden tests."""

import contextlib
import io
import math
import os
import re
import sys
import traceback
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import pytest

from .errors import AssignmentError, GradingFault
from .failures import StudentFailure
from .notebook import StudentNotebook
from .result import CellResult, TestResult, Verdict

__all__ = ["collect_hidden_tests", "run_hidden_tests"]


class _Plugin:
    """The pytest plug-in behind one run."""

    def __init__(self, root: Path, student_at: Callable[[str], StudentNotebook] | None) -> None:
        self.root = root
        self.student_at = student_at
        self.results: dict[str, list[TestResult]] = {}
        self.students: dict[str, StudentNotebook] = {}
        self.accuracies: dict[str, float] = {}
        self.faults: list[str] = []
        self.seen: set[str] = set()
        """The grade cells that have a test, whatever becomes of it."""
        self.interrupt: BaseException | None = None

    def add_fault(self, error: BaseException) -> None:
        """Keep an error that no test holds, by the lines of the author's files: most others are pytest's."""
        lines = [
            f"{frame.filename}:{frame.lineno}: in {frame.name}\n"
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename).is_relative_to(self.root)
        ]
        if not lines and not isinstance(error, SyntaxError):  # which names its place
            lines = traceback.format_tb(error.__traceback__)
        self.faults.append("".join([*lines, *traceback.format_exception_only(error)]).rstrip())

    @pytest.hookimpl(wrapper=True)
    def pytest_load_initial_conftests(self) -> Generator[None, None, None]:
        try:
            yield
        except Exception as error:  # whatever a conftest.py does; pytest wraps it
            self.add_fault(error.__cause__ or error)
            raise

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        self.add_fault(excinfo.value)
        return True

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line("markers", "hidden(points, rationale, accuracy): a hidden test")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            self.seen.add(self._grade_id(item))
            mark = item.get_closest_marker("hidden")
            if mark is None:
                self.faults.append(f"{item.nodeid}: is not marked with @hidden_test(points, fr=..., en=...)")
            elif mark.kwargs["accuracy"] is not None:
                self.accuracies[self._grade_id(item)] = mark.kwargs["accuracy"]
        if self.student_at is None:
            for item in items:
                self._keep(item, Verdict.NOT_ATTEMPTED)

    @pytest.fixture
    def student(self, request: pytest.FixtureRequest) -> StudentNotebook:
        assert self.student_at is not None
        student = self.students[request.node.nodeid] = self.student_at(self._grade_id(request.node))
        return student

    def _grade_id(self, item: pytest.Item) -> str:
        """The stem of the test's file, or the folder's name when the cell has a folder."""
        return item.path.relative_to(self.root).parts[0].removesuffix(".py")

    def _keep(self, item: pytest.Item, verdict: Verdict, detail: str = "", note: str = "") -> None:
        mark = item.get_closest_marker("hidden")
        if mark is not None:
            test = TestResult(item.name, mark.kwargs["points"], mark.kwargs["rationale"], verdict, detail, note)
            student = self.students.pop(item.nodeid, None)
            if student is not None:
                test.asked, test.accuracy = student.asked, self._accuracy(item, student.accuracy)
            self.results.setdefault(self._grade_id(item), []).append(test)

    def _accuracy(self, item: pytest.Item, left: object) -> tuple[float, float] | None:
        """What a test left in ``student.accuracy``, as numbers; None where one is none that JSON has."""
        if left is None:
            return None
        try:
            measured, required = map(float, left)  # type: ignore[call-overload]
        except (TypeError, ValueError, RuntimeError):  # the last one by a tensor of several numbers
            self.faults.append(f"{item.nodeid}: student.accuracy is two numbers, measured and required, not {left!r}")
            return None
        return (measured, required) if math.isfinite(measured) and math.isfinite(required) else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        error = None if call.excinfo is None else call.excinfo.value
        is_students = (isinstance(error, StudentFailure) and call.when != "teardown") or (
            isinstance(error, AssertionError) and call.when == "call"
        )
        # where a student's answer fails nobody reads what pytest makes of it, and to find source lines takes 30 ms
        item.config.option.tbstyle = "line" if is_students else "short"
        report = yield
        if error is None:
            if call.when == "call":
                self._keep(item, Verdict.PASSED)
        elif isinstance(error, GradingFault):  # a kernel was killed, the sandbox has ended: no test is at fault
            self.interrupt, item.session.shouldstop = error, str(error)
        elif not is_students:
            self.faults.append(f"{item.nodeid}\n{report.longreprtext}")
        elif isinstance(error, StudentFailure):
            self._keep(item, error.verdict, error.detail, error.note)
        else:
            self._keep(item, Verdict.FAILED, note=str(error))
        return report

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.interrupt = self.interrupt or excinfo.value  # to stop after a fault of the grader is an interrupt, too

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            text = report.longreprtext
            if re.search(r"^E +(SyntaxError|IndentationError|TabError):", text, re.MULTILINE):  # no line of it has run:
                text = "\n".join(line for line in text.splitlines() if line.startswith("E"))  # the others are pytest's
            self.faults.append(f"{report.nodeid}\n{text}")


def _run(paths: Sequence[Path], plugin: _Plugin, *options: str) -> None:
    if sys.flags.optimize:  # pytest keeps those of the tests themselves; a wrong answer would pass what they import
        raise GradingFault("Python runs without assert statements: unset PYTHONOPTIMIZE, or leave out -O")
    arguments = [*map(str, paths), "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-c", os.devnull]
    arguments += ["--rootdir", str(plugin.root), "--confcutdir", str(plugin.root), "--tb=short", *options]
    arguments += ["--disable-plugin-autoload"]  # whatever else is installed has no say in marks
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):  # nor has the shell: -x would end a run at the first wrong answer
        os.environ.pop(name, None)
    # plug-ins that take time and are of no use here; the first collects garbage ten times at the end, for 0.6 s
    arguments += [f"-pno:{name}" for name in ("unraisableexception", "threadexception", "faulthandler", "logging")]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            code = pytest.main(arguments, plugins=[plugin])
    except (Exception, SystemExit) as error:  # of a hook that runs late; sys.exit in a file
        plugin.add_fault(error)
        code = pytest.ExitCode.INTERNAL_ERROR
    finally:  # a later run, of another assignment or after an edit, must import its own files
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(f"{plugin.root}{os.sep}"):
                del sys.modules[name]
                while name := name.rpartition(".")[0]:  # a folder of tests is a module without a file
                    if getattr(sys.modules.get(name), "__file__", None) is None:
                        sys.modules.pop(name, None)
    if plugin.interrupt is None and code not in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR):
        plugin.faults += [
            f"{path}: there is no hidden test in it; the names of their functions begin with test_"
            for path in paths
            if path.stem not in plugin.seen
        ]
    if plugin.interrupt is not None and not plugin.faults:  # pytest ends a run with bad files by an interrupt, too
        raise plugin.interrupt
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not plugin.faults:
        plugin.faults.append(f"pytest ended with {pytest.ExitCode(code).name} on {', '.join(map(str, paths))}")


def collect_hidden_tests(paths: Sequence[Path]) -> dict[str, CellResult]:
    """The hidden tests in ``paths`` by grade cell, each marked not attempted.

    Raises:
        AssignmentError: if a file cannot be collected; the message names it.
    """
    if not paths:  # free texts only
        return {}
    plugin = _Plugin(paths[0].parent, None)
    _run(paths, plugin, "--collect-only")
    if plugin.faults:
        raise AssignmentError(
            "A hidden test cannot be used. No submission was graded.\n\n" + "\n\n".join(plugin.faults)
        )
    return {grade_id: CellResult(grade_id, tests) for grade_id, tests in plugin.results.items()}


def run_hidden_tests(
    paths: Sequence[Path], student_at: Callable[[str], StudentNotebook], accuracies: dict[str, float] | None = None
) -> dict[str, CellResult]:
    """Run the hidden tests in ``paths``, in that order.

    Args:
        paths: hidden test files or folders.
        student_at: gives the student's notebook in its state at a grade cell. A ``pytest.exit.Exception`` that it
            raises ends the run.
        accuracies: is given the accuracies that the tests require, by grade cell, before the first of them runs.

    Returns:
        The results by grade cell.

    Raises:
        GradingFault: if a hidden test is at fault; the message names it. Or what ``student_at`` raises.
    """
    if not paths:
        return {}
    plugin = _Plugin(paths[0].parent, student_at)
    if accuracies is not None:
        plugin.accuracies = accuracies
    _run(paths, plugin)
    if plugin.faults:
        raise GradingFault("A hidden test failed by itself.\n\n" + "\n\n".join(plugin.faults))
    return {grade_id: CellResult(grade_id, tests) for grade_id, tests in plugin.results.items()}
