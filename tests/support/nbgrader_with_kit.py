"""A pytest plugin for nbgrader's own tests: their courses get the kit's configuration.

pytest -p tests.support.nbgrader_with_kit --pyargs nbgrader.tests.apps.test_nbgrader_autograde
"""

from pathlib import Path

import pytest

CONFIGURATION = Path(__file__).parents[2] / "nbgrader_config.py"

LEFT_OUT = ("c.CourseDirectory.course_id", "c.JudgedAutograde.language")
"""Settings of the kit's own course."""


@pytest.fixture(autouse=True)
def course_with_kit(request: pytest.FixtureRequest) -> None:
    """Append the kit's configuration to the one that nbgrader's tests write."""
    if "temp_cwd" in request.fixturenames:
        request.getfixturevalue("temp_cwd")
        lines = CONFIGURATION.read_text(encoding="utf-8").splitlines(keepends=True)
        with open("nbgrader_config.py", "a", encoding="utf-8") as file:
            file.writelines(line for line in lines if not line.startswith(LEFT_OUT))
            file.write("\nc.JudgedAutograde.language = 'en'\n")
