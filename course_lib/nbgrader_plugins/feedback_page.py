"""Remove hidden test lines from feedback pages."""

from nbconvert.exporters.exporter import ResourcesDict
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests
from nbgrader.utils import is_grade
from traitlets.config import Config


class HideTests(Preprocessor):
    """For ``c.HTMLExporter.preprocessors``: removes the hidden lines of grade cells, except on formgrader's pages."""

    enabled = True

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Remove hidden lines."""
        if "submission_id" in resources:  # only formgrader's grading page has this key
            return nb, resources
        markers = Config(ClearHiddenTests=self.config.get("ClearHiddenTests", {}))  # without settings of this class
        clear = ClearHiddenTests(config=markers, enforce_metadata=False)
        for index, cell in enumerate(nb.cells):
            if is_grade(cell):
                nb.cells[index], resources = clear.preprocess_cell(cell, resources, index)
        return nb, resources
