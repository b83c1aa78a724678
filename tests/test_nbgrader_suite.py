"""nbgrader's own tests of its commands, with the kit's configuration in force."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

NO_SOURCE = "An assignment without source notebooks is an error; nbgrader collects nothing and does not say so."
OLD_SCHEMA = "A submission with metadata of an old schema is graded; nbgrader asks for 'nbgrader update' first."

EXCEPTIONS = {
    "test_nbgrader_autograde": {
        "test_side_effects": "Files that a notebook writes stay in the sandbox.",
        "test_handle_failure": "A notebook with cells that nbgrader does not know is graded; nbgrader stops at it.",
        "test_handle_failure_single_notebook": "The same.",
        "test_filter_notebook": "A result that was deleted comes back; nbgrader leaves it out.",
    },
    "test_nbgrader_update": {"test_update_autograde": OLD_SCHEMA, "test_update_autograde_old_assign": OLD_SCHEMA},
    "test_nbgrader_zip_collect": {
        "test_empty_folders": NO_SOURCE,
        "test_extract_single_notebook": NO_SOURCE,
        "test_extract_single_notebook_f": NO_SOURCE,
        "test_extract_sub_dir_single_notebook": NO_SOURCE,
        "test_extract_archive": NO_SOURCE,
        "test_extract_archive_copies": NO_SOURCE,
        "test_collect_no_regexp": NO_SOURCE,
    },
}
"""The tests that fail, by module, and why the kit does something else."""

MODULES = ("autograde", "generate_assignment", "generate_feedback", "export", "validate", "zip_collect", "update", "db")


@pytest.mark.long
@pytest.mark.parametrize("name", MODULES)
def test_nbgraders_tests_pass_with_the_kit(name: str, root: Path) -> None:
    module = f"test_nbgrader_{name}"
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.nbgrader_with_kit", "-q", "-rf", "--tb=line"]
    command += ["-p", "no:cacheprovider", "-c", os.devnull, "--pyargs", f"nbgrader.tests.apps.{module}"]
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    failed = set(re.findall(r"^(?:FAILED|ERROR) \S*::(\w+)", run.stdout, re.MULTILINE))
    assert " passed" in run.stdout, run.stdout[-3000:]
    assert failed == EXCEPTIONS.get(module, {}).keys(), run.stdout[-3000:]
