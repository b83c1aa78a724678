"""Check this machine and this course, and say how to fix what is wrong.

    course doctor

Run this in the course folder. The doctor tries everything that can make `nbgrader autograde` refuse to grade, but it
grades nothing. It changes nothing either, except that it unpacks MNIST's files if they are missing.
"""

import argparse
import functools
import sys
from collections.abc import Callable, Iterator

from .doctor_course import COURSE_CHECKS, check_sandbox
from .doctor_machine import MACHINE_CHECKS, Finding
from .open_course import open_course


def examine() -> Iterator[Finding]:
    """Make all checks in the current folder; an error in a check becomes a finding, too."""
    for machine_check in MACHINE_CHECKS:
        yield from _findings(machine_check, machine_check.__name__)
    course = open_course()
    if isinstance(course, Finding):
        yield course
        yield from _findings(functools.partial(check_sandbox, None), check_sandbox.__name__)
        return
    for course_check in COURSE_CHECKS:
        yield from _findings(functools.partial(course_check, course), course_check.__name__)


def _findings(check: Callable[[], Iterator[Finding]], name: str) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as error:  # the other checks go on
        fix = "This should not happen. Please report it with this output."
        yield Finding(name.removeprefix("check_"), f"{type(error).__name__}: {error}", fix)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare nothing: ``course doctor`` has no arguments."""


def run(arguments: argparse.Namespace) -> None:
    """Print every finding. The exit status is 1 if something must be fixed."""
    failed = False
    for finding in examine():
        failed |= bool(finding.fix)
        print(f"{'✗' if finding.fix else '✓'} {finding.what}: {finding.says}", flush=True)
        for line in finding.fix.splitlines():
            print(f"    {line}")
    sys.exit(failed)
