"""Collect and run hidden tests with pytest, and turn their outcomes into results."""

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

from ..results.errors import AssignmentError, GraderError
from ..results.failures import StudentFailure
from ..results.result import CellResult, TestResult, Verdict, printable
from .notebook import StudentNotebook

StudentAt = Callable[[str], StudentNotebook | None]
"""Returns the student's notebook in its state at a grade cell; None ends the test run."""


class _Plugin:
    """The pytest plug-in of one run.

    Args:
        root: the folder with the hidden tests of the assignment.
        student_at: returns the student's notebook at a grade cell; None to collect only.
    """

    def __init__(self, root: Path, student_at: StudentAt | None) -> None:
        self.root = root
        self.student_at = student_at
        self.student_now: StudentNotebook | None = None
        """The notebook at the grade cell of the test that is running."""
        self.ended = False
        """Whether the run has ended at a grade cell. No further test runs then."""
        self.results: dict[str, list[TestResult]] = {}
        self.students: dict[str, StudentNotebook] = {}
        self.accuracies: dict[str, float] = {}
        self.faults: list[str] = []
        self.seen: set[str] = set()
        """The grade cells that have a test, even a faulty one."""
        self.interrupt: BaseException | None = None

    def add_fault(self, error: BaseException) -> None:
        """Record an error outside a test. Keep only the lines of its traceback that are in the author's files."""
        lines = [
            f"{frame.filename}:{frame.lineno}: in {frame.name}\n"
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename).is_relative_to(self.root)
        ]
        if not lines and not isinstance(error, SyntaxError):  # a SyntaxError names its file and line itself
            lines = traceback.format_tb(error.__traceback__)
        self.faults.append("".join([*lines, *traceback.format_exception_only(error)]).rstrip())

    def _where(self, item: pytest.Item, error: BaseException) -> str:
        """An exception of a hidden test in one line, with the innermost place in the author's files."""
        frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(self.root)]
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else item.nodeid
        return printable(f"{place}: {type(error).__name__}: {error}")

    @pytest.hookimpl(wrapper=True)
    def pytest_load_initial_conftests(self) -> Generator[None, None, None]:
        try:
            yield
        except Exception as error:  # raised by a conftest.py; pytest wraps it
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

    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Run the notebook up to the test's grade cell. Skip the test if the run has ended there."""
        assert self.student_at is not None
        try:
            self.student_now = None if self.ended else self.student_at(self._grade_id(item))
        except GraderError as error:
            self.interrupt, item.session.shouldstop = error, str(error)
            return True
        self.ended = self.student_now is None
        return True if self.ended else None  # None: pytest runs the test

    @pytest.fixture
    def student(self, request: pytest.FixtureRequest) -> StudentNotebook:
        """The student's notebook, in its state at the test's grade cell."""
        assert self.student_now is not None
        self.students[request.node.nodeid] = self.student_now
        return self.student_now

    def _grade_id(self, item: pytest.Item) -> str:
        """The name of the test's file without ``.py``, or of its folder if the grade cell has a folder of tests."""
        return item.path.relative_to(self.root).parts[0].removesuffix(".py")

    def _keep(self, item: pytest.Item, verdict: Verdict, detail: str = "", note: str = "") -> None:
        mark = item.get_closest_marker("hidden")
        if mark is not None:
            test = TestResult(item.name, mark.kwargs["points"], mark.kwargs["rationale"], verdict, detail, note)
            student = self.students.pop(item.nodeid, None)
            if student is not None:
                test.asked, test.accuracy = student.asked, self._accuracy(item, student.accuracy)
            self.results.setdefault(self._grade_id(item), []).append(test)

    def _accuracy(self, item: pytest.Item, value: object) -> tuple[float, float] | None:
        """The ``value`` that a test stored in ``student.accuracy``; None if JSON has no such numbers."""
        if value is None:
            return None
        try:
            measured, required = map(float, value)  # type: ignore[call-overload]
        except (TypeError, ValueError, RuntimeError):  # a tensor of several numbers raises a RuntimeError
            self.faults.append(
                f"{item.nodeid}: student.accuracy must be two numbers, (measured, required), not {value!r}"
            )
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
        # nobody reads pytest's report of a student's failure, and looking up source lines for it takes 30 ms
        item.config.option.tbstyle = "line" if is_students else "short"
        report = yield
        if error is None:
            if call.when == "call":
                self._keep(item, Verdict.PASSED)
        elif isinstance(error, GraderError):  # a kernel was killed or the sandbox has ended: the test is not at fault
            self.interrupt, item.session.shouldstop = error, str(error)
        elif not is_students and call.when in ("setup", "call"):  # the next answer may be graded without an error
            self._keep(item, Verdict.TEST_CRASHED, note=self._where(item, error))
        elif not is_students:
            self.faults.append(f"{item.nodeid}\n{report.longreprtext}")
        elif isinstance(error, StudentFailure):
            self._keep(item, error.verdict, error.detail, error.note)
        else:
            self._keep(item, Verdict.FAILED, note=str(error))
        return report

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.interrupt = self.interrupt or excinfo.value  # pytest also interrupts itself after a fault of the grader

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            text = report.longreprtext
            if re.search(r"^E +(SyntaxError|IndentationError|TabError):", text, re.MULTILINE):
                own = [line for line in text.splitlines() if line.startswith("E")]  # the other lines are pytest's code
                text = "\n".join(own)
            self.faults.append(f"{report.nodeid}\n{text}")


def _run(paths: Sequence[Path], plugin: _Plugin, *options: str) -> None:
    if sys.flags.optimize:  # pytest keeps the asserts of test files, but Python drops those of modules that they import
        raise GraderError(
            "Python ignores assert statements, so wrong answers may pass: unset PYTHONOPTIMIZE, or omit -O"
        )
    arguments = [*map(str, paths), "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-c", os.devnull]
    arguments += ["--rootdir", str(plugin.root), "--confcutdir", str(plugin.root), "--tb=short", *options]
    # neither other installed packages nor the shell may change marks: -x would stop at the first wrong answer
    arguments += ["--disable-plugin-autoload"]
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    # these plug-ins are slow and useless here: the first one alone runs the garbage collector for 0.6 s
    arguments += [f"-pno:{name}" for name in ("unraisableexception", "threadexception", "faulthandler", "logging")]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            code = pytest.main(arguments, plugins=[plugin])
    except (Exception, SystemExit) as error:  # raised by a hook that runs late, or by sys.exit in a file
        plugin.add_fault(error)
        code = pytest.ExitCode.INTERNAL_ERROR
    finally:  # forget the imported files: a later run may grade another assignment, or files that were edited
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(f"{plugin.root}{os.sep}"):
                del sys.modules[name]
                while name := name.rpartition(".")[0]:  # the folders above it are modules without a file
                    if getattr(sys.modules.get(name), "__file__", None) is None:
                        sys.modules.pop(name, None)
    if plugin.interrupt is None and code not in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR):
        plugin.faults += [
            f"{path}: there is no hidden test in it; the name of a test function must begin with test_"
            for path in paths
            if path.stem not in plugin.seen
        ]
    if plugin.interrupt is not None and not plugin.faults:  # pytest also interrupts a run with files that do not load
        raise plugin.interrupt
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not plugin.faults:
        plugin.faults.append(f"pytest ended with {pytest.ExitCode(code).name} on {', '.join(map(str, paths))}")


def collect_hidden_tests(paths: Sequence[Path]) -> dict[str, CellResult]:
    """The hidden tests in ``paths`` by grade cell, each with the verdict ``NOT_ATTEMPTED``.

    Args:
        paths: files or folders of hidden tests, one for each grade cell, all in the same folder.

    Raises:
        AssignmentError: if a test cannot be used. The message names its file.
    """
    if not paths:  # an assignment may have only free texts
        return {}
    plugin = _Plugin(paths[0].parent, None)
    _run(paths, plugin, "--collect-only")
    if plugin.faults:
        raise AssignmentError(
            "A hidden test cannot be used. No submission was graded.\n\n" + "\n\n".join(plugin.faults)
        )
    return {grade_id: CellResult(grade_id, tests) for grade_id, tests in plugin.results.items()}


def run_hidden_tests(
    paths: Sequence[Path], student_at: StudentAt, accuracies: dict[str, float] | None = None
) -> dict[str, CellResult]:
    """Run the hidden tests in ``paths``, in that order.

    Args:
        paths: files or folders of hidden tests, one for each grade cell, all in the same folder.
        student_at: returns the student's notebook in its state at a grade cell. None ends the run, and the results so
            far are returned.
        accuracies: gets the accuracy that each grade cell requires, before the first test runs.

    Returns:
        The results by grade cell.

    Raises:
        GraderError: if a hidden test is faulty. The message names the test.
        Exception: any other exception of ``student_at`` that ends the run.
    """
    if not paths:
        return {}
    plugin = _Plugin(paths[0].parent, student_at)
    if accuracies is not None:
        plugin.accuracies = accuracies
    _run(paths, plugin)
    if plugin.faults:
        raise GraderError("A hidden test is faulty.\n\n" + "\n\n".join(plugin.faults))
    return {grade_id: CellResult(grade_id, tests) for grade_id, tests in plugin.results.items()}
