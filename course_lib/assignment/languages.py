"""Releases a bilingual source notebook in one language, or in both.

In a text cell of the source, a line ``<!-- en -->`` begins English text, ``<!-- fr -->`` French text, and
``<!-- end -->`` text for everybody. Jupyter does not show these lines.
"""

import re

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Enum

from .cells import cell_name

_MARKER = re.compile(r"^<!-- (fr|en|end) -->[ \t]*(?:\n|$)", re.MULTILINE)


def choose(source: str, language: str) -> str:
    """The text of a cell in one language, or in both.

    Args:
        source: the text with its markers.
        language: ``fr``, ``en``, or ``both``.

    Raises:
        ValueError: if the last part has no ``<!-- end -->``.
    """
    common, *parts = _MARKER.split(source)
    kept, last = [common], "end"
    for marker, text in zip(parts[::2], parts[1::2], strict=True):
        if marker in ("end", language) or language == "both":
            kept.append(text)
        last = marker
    if last != "end":
        raise ValueError(f"<!-- {last} --> has no <!-- end -->")
    return re.sub(r"\n{3,}", "\n\n", "".join(kept)).strip("\n") if parts else source


class ChooseLanguage(NbGraderPreprocessor):
    """Leaves one language in the text cells of a release."""

    language = Enum(
        ("en", "fr", "both"), "en", help="The language of released texts: en, fr, or both side by side."
    ).tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Choose the language of each text cell."""
        for number, cell in enumerate(nb.cells, 1):
            if cell.cell_type == "markdown":
                try:
                    cell.source = choose(cell.source, self.language)
                except ValueError as error:
                    raise RuntimeError(f"cell {number} '{cell_name(cell)}': {error}") from error
        return nb, resources
