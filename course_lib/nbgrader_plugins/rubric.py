"""Show the expected answer and the mark scheme below each free text in formgrader.

They are read from the source notebook when formgrader renders the page, so no file for students ever contains them.
"""

from pathlib import Path

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import is_grade, is_task

from ..assignment.cells import cell_name
from ..assignment.loader import expected_answers
from ..messages import MESSAGES, language


class ShowRubric(Preprocessor):
    """For ``c.HTMLExporter.preprocessors``. The same exporter makes feedback pages, which are left unchanged."""

    enabled = True

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Insert the expected answer below each answer that a person grades."""
        if "submission_id" not in resources:  # only formgrader's grading page has this key
            return nb, resources
        course = CourseDirectory(config=self.config)
        assignment, notebook = resources["assignment_id"], resources["notebook_id"]
        path = Path(course.format_path(course.source_directory, ".", assignment)) / f"{notebook}.ipynb"
        try:
            expected = expected_answers(nbformat.read(path, as_version=4))
        except (OSError, ValueError):  # no source, or a damaged one: formgrader still works
            return nb, resources
        in_english = self.config.JudgedAutograde.get("language", language()) == "en"  # formgrader does not set it
        title = MESSAGES["rubric"].en if in_english else MESSAGES["rubric"].fr
        cells = []
        for cell in nb.cells:
            cells.append(cell)
            name = cell_name(cell)
            if any(expected.get(name, ())) and (is_grade(cell) or is_task(cell)):
                answer, scheme = expected[name]
                if cell.cell_type == "code":
                    answer = f"```python\n{answer}\n```"
                lines = "\n\n".join((f"**{title}**", answer, scheme)).splitlines()
                cells.append(new_markdown_cell("\n".join(f"> {line}" for line in lines)))
        nb.cells = cells
        return nb, resources
