"""Adds the files that a new course starts from to the wheel.

These files are at the top of the repository, because the repository is a course itself. An editable install reads them
there. It must not copy them into the Python environment, where students' code could read them.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILES = ("nbgrader_config.py", "nbgrader_config.json", "source/mnist1", "grader_tests/mnist1")


class CustomBuildHook(BuildHookInterface):
    """The hook that hatchling calls, because pyproject.toml has a section for a custom hook."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the files into the package's folder ``cli/course_files``, unless the install is editable."""
        if version != "editable":
            build_data["force_include"] |= {name: f"course_lib/cli/course_files/{name}" for name in FILES}
