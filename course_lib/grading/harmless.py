"""Make what a student's code and text left in a notebook safe to store and to open in a browser.

formgrader shows it in the instructor's own session: a script there could change marks. Outputs are cleaned when they
are stored. Markdown is cleaned after it was turned into HTML, by the filter that ``nbgrader_config.py`` gives to
formgrader and to the feedback pages: before that, nobody can tell what becomes of it.
"""

import functools
import re
from html import escape
from typing import Any

import nh3
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_output
from pygments.token import STANDARD_TYPES

from ..messages import say
from .rebuild import EXTRA, PICTURES, is_base64

__all__ = ["MARKDOWN_FILTER", "clean_html", "drop_outputs", "make_harmless", "markdown2html"]

MARKDOWN_FILTER = {"markdown2html": "course_lib.grading.harmless.markdown2html"}
"""For ``c.HTMLExporter.filters``."""

MAX_HTML = 100_000
"""Longest piece of HTML that is shown as such: the time to clean it may grow with the square of its length."""

MAX_MARKDOWN = 20_000
"""Longest text that is rendered, for the same reason."""

_TAGS = {
    "a", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "details", "div", "dl",
    "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "ol", "p", "pre", "s", "small",
    "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "*": {"style", "role", "title", "align", "colspan", "rowspan"}, "a": {"href"}, "img": {"src", "alt"},
}  # fmt: skip
# nothing that could cover, move or hide what stands around it
_STYLES = {
    "background", "background-color", "border", "border-collapse", "border-left", "color", "font-size", "font-style",
    "font-weight", "padding", "text-align",
}  # fmt: skip
_CLASSES = {"div": {"highlight"}, "span": {name for name in STANDARD_TYPES.values() if name}}


def make_harmless(notebook: NotebookNode) -> None:
    """Clean the outputs of every cell, and bound the texts that the student wrote."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [_output(output) for output in cell.get("outputs", [])]
            cell.execution_count = None
        elif cell.metadata.get(EXTRA) or cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = re.sub(r"[^\S\n]{100,}", " ", cell.source)  # takes a renderer minutes
            if len(cell.source) > MAX_MARKDOWN:
                cell.source = cell.source[:MAX_MARKDOWN] + " […]"


def drop_outputs(notebook: NotebookNode) -> None:
    """For a notebook that took too long to clean: show nothing of what it displayed."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [new_output("stream", name="stderr", text=say("output.cut"))] if cell.outputs else []
        elif len(cell.source) > MAX_MARKDOWN:
            cell.source = cell.source[:MAX_MARKDOWN]


def clean_html(text: str) -> str:
    """HTML without scripts, frames, remote images, or anything that leaves its place on the page."""
    return nh3.clean(
        text,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto", "data"},
        url_relative="deny",
        filter_style_properties=_STYLES,
        allowed_classes=_CLASSES,
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    if value.strip().lower().startswith("data:") and not (tag == "img" and value.startswith("data:image/")):
        return None
    if name == "src" and not value.startswith("data:image/"):  # a request in the instructor's name
        return None
    if name == "style" and re.search(r"url|\\|/\*", value, re.IGNORECASE):
        return None
    return value


@functools.cache
def _exporter() -> HTMLExporter:
    return HTMLExporter(exclude_anchor_links=True)


@pass_context
def markdown2html(context: Any, source: str) -> str:
    """What nbconvert makes of a Markdown cell, cleaned; the text itself where that fails."""
    try:
        return clean_html(_exporter().markdown2html(context, source))
    except Exception:  # an attachment that is missing, whatever else
        return f"<pre>{escape(source)}</pre>"


def _output(output: NotebookNode) -> NotebookNode:
    """The same output, made anew from the parts that a notebook may have."""
    if output.output_type == "stream":
        return new_output("stream", name=output.name, text=output.text)
    if output.output_type == "error":
        return new_output("error", ename=output.ename, evalue=output.evalue, traceback=output.traceback)
    data = {kind: value for kind, value in map(_data, output.data.items()) if value}
    markdown = output.data.get("text/markdown")
    if isinstance(markdown, str):  # rendered only where it comes with the notebook's own text
        data["text/plain"] = markdown
    return new_output("display_data", data)


def _data(item: tuple[str, Any]) -> tuple[str, str]:
    """One representation of a value; empty when it is not kept."""
    kind, value = item
    if not isinstance(value, str):
        return kind, ""
    if kind in ("text/plain", "text/latex") or (kind in PICTURES and is_base64(value)):
        return kind, value
    return kind, clean_html(value) if kind == "text/html" and len(value) <= MAX_HTML else ""
