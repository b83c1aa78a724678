"""Make what a student's code and text left in a notebook safe to store and to open in a browser.

formgrader shows it in the instructor's own session: a script in an output could change marks there.
"""

import re
from typing import Any

from bleach import clean
from bleach.css_sanitizer import ALLOWED_CSS_PROPERTIES, CSSSanitizer
from nbformat import NotebookNode
from nbformat.v4 import new_output

from .rebuild import EXTRA

__all__ = ["make_harmless"]

_TAGS = {
    "a", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "details", "div", "dl",
    "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "kbd", "li", "ol", "p", "pre", "s", "small",
    "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
_ATTRIBUTES = {"*": ["style", "role", "title", "align", "colspan", "rowspan"], "a": ["href"]}
# nothing that could cover or move what stands around it
_STYLES = CSSSanitizer(
    allowed_css_properties=[*ALLOWED_CSS_PROPERTIES, "border", "border-left", "margin", "padding", "opacity"]
)
_IMAGES = ("image/png", "image/jpeg")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")


def make_harmless(notebook: NotebookNode) -> None:
    """Clean the outputs of every cell, and the texts that the student wrote."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [_output(output) for output in cell.get("outputs", [])]
            cell.execution_count = None
        elif cell.metadata.get(EXTRA) or cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = _html(cell.source)


def _html(text: str) -> str:
    if not re.search(r"<[A-Za-z/!?]", text):
        return text  # no tag: nothing to clean, and `a < b` stays as it is
    cleaned: str = clean(text, tags=_TAGS, attributes=_ATTRIBUTES, css_sanitizer=_STYLES)
    return cleaned


def _output(output: NotebookNode) -> NotebookNode:
    """The same output, made anew from the parts that a notebook may have."""
    if output.output_type == "stream":
        return new_output("stream", name=output.name, text=output.text)
    if output.output_type == "error":
        return new_output("error", ename=output.ename, evalue=output.evalue, traceback=output.traceback)
    return new_output("display_data", {kind: value for kind, value in map(_data, output.data.items()) if value})


def _data(item: tuple[str, Any]) -> tuple[str, str]:
    """One representation of a value; empty when it is not kept."""
    kind, value = item
    if not isinstance(value, str):
        return kind, ""
    if kind in ("text/plain", "text/latex") or (kind in _IMAGES and _BASE64.fullmatch(value)):
        return kind, value
    return kind, _html(value) if kind in ("text/html", "text/markdown") else ""
