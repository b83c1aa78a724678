"""Make what a student's code and text left in a notebook safe to store and to open in a browser.

formgrader shows it in the instructor's own session: a script there could change marks. Outputs are cleaned when they
are stored. Markdown is cleaned after it was turned into HTML, by the filter that ``nbgrader_config.py`` gives to
formgrader and to the feedback pages: before that, nobody can tell what becomes of it.
"""

import contextlib
import functools
import re
from collections.abc import Iterator
from html import escape
from typing import Any

import nh3
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters import Highlight2HTML
from nbformat import NotebookNode
from nbformat.v4 import new_output
from pygments.token import STANDARD_TYPES

from ..assignment.cells import is_own
from ..messages import say
from .rebuild import PICTURES, is_base64
from .time_limit import uninterrupted

__all__ = [
    "PAGE_FILTERS",
    "alternative_texts",
    "clean_html",
    "drop_outputs",
    "highlight_code",
    "markdown2html",
    "sanitize_notebook",
]

PAGE_FILTERS = {name: f"course_lib.judge.sanitize.{name}" for name in ("highlight_code", "markdown2html")}
"""For ``c.HTMLExporter.filters``."""

MAX_HTML = 100_000
"""Longest piece of HTML that is shown as such: the time to clean it may grow with the square of its length."""

MAX_MARKDOWN = 20_000
"""Longest text that is rendered, for the same reason."""

MAX_SOURCE = 200_000
"""Length of all that a student wrote in one notebook, as far as it is shown."""

MAX_PICTURES = 2**26
"""Letters of all pictures in one text, as often as they may stand there: each time, the page has all of it again."""

MAX_COLOURED = 50_000
MAX_LINE = 1000
"""Longest program, and longest line of one, that is shown in colours: the time grows with the square of a line."""

MAX_ALTERNATIVE = 1000
"""Longest text that stands for a picture."""

MAX_STYLE = 1000
"""Longest style of an element that is kept: to look for functions in it takes a time that grows with its square."""

MAX_REOPENED = 2_000_000
"""A parser opens unclosed tags again in each paragraph: their length, times all tags, may not be more than this."""

MAX_PRINTED, MAX_TRACEBACK = 1000, 100
"""Most lines that are shown of what a cell printed, and of a traceback: as many as nbgrader shows."""

MAX_ESCAPES = 20_000
"""Escape sequences of a terminal in a notebook that become colours: the time grows with them times a text's length."""

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;]*[@-~]?)?")
_LONG_ESCAPE = re.compile(r"\x1b\[[^@-~\n]{100,}")
_CALL = re.compile(r"([^\s,:;(]*)\(")
_OPEN = re.compile(r"<\s*(?:a|b|code|em|i|s|small|strong|u)\b[^>]*>?", re.IGNORECASE)

_TAGS = {
    "a", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "details", "div", "dl",
    "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "ol", "p", "pre", "s", "small",
    "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "*": {"style", "role", "title", "align", "colspan", "rowspan"}, "a": {"href"}, "img": {"src", "alt"},
}  # fmt: skip
_FUNCTIONS = {"color-mix", "hsl", "hsla", "linear-gradient", "rgb", "rgba"}
"""Of CSS: none that makes a request."""
# nothing that moves or hides what stands around it
_STYLES = {
    "background", "background-color", "border", "border-collapse", "border-left", "color", "font-size", "font-style",
    "font-weight", "padding", "text-align",
}  # fmt: skip
_CLASSES = {"div": {"highlight"}, "span": {name for name in STANDARD_TYPES.values() if name}}


def sanitize_notebook(notebook: NotebookNode) -> None:
    """Clean the outputs of every cell, and bound the texts that the student wrote."""
    left, escapes = MAX_SOURCE, MAX_ESCAPES
    for cell in notebook.cells:
        own = is_own(cell)
        if cell.cell_type == "code":
            cell.outputs = list(_shortened([_output(output) for output in cell.get("outputs", [])]))
            escapes = _few_colours(cell.outputs, escapes)
            cell.execution_count = None
        elif own:
            cell.source = re.sub(r"[^\S\n]{100,}", " ", cell.source)  # takes a renderer minutes
            sizes = [len(value) for data in cell.get("attachments", {}).values() for value in data.values()]
            if max(sizes, default=0) * (cell.source.count("![") + cell.source.lower().count("<img")) > MAX_PICTURES:
                del cell["attachments"]
        if own:
            most = left if cell.cell_type == "code" else min(left, MAX_MARKDOWN)
            if len(cell.source) > most:
                cell.source = cell.source[:most] + " […]"
            left = max(0, left - len(cell.source))


def drop_outputs(notebook: NotebookNode) -> None:
    """For a notebook that took too long to clean: show nothing of what it displayed."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [new_output("stream", name="stderr", text=say("output.cut"))] if cell.outputs else []
        elif len(cell.source) > MAX_MARKDOWN:
            cell.source = cell.source[:MAX_MARKDOWN]


def clean_html(text: str) -> str:
    """HTML without scripts, frames, remote images, or anything that leaves its place on the page.

    Raises:
        ValueError: if it is made to become very long.
    """
    if sum(map(len, _OPEN.findall(text))) * text.count("<") > MAX_REOPENED:
        raise ValueError("too many unclosed tags")
    with uninterrupted():  # nh3 goes on past what its filter of attributes raises
        clean = nh3.clean(
            text,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            attribute_filter=_attribute,
            url_schemes={"http", "https", "mailto", "data"},
            url_relative="deny",
            filter_style_properties=_STYLES,
            allowed_classes=_CLASSES,
        )
    return f"<div style='contain:paint;overflow:hidden'>{clean}</div>"  # nothing is drawn outside of it


def _attribute(tag: str, name: str, value: str) -> str | None:
    if value.strip().lower().startswith("data:") and tag != "img":
        return None
    if name == "src" and not value.startswith("data:image/"):  # a request in the instructor's name
        return None
    if name == "style" and len(value) > MAX_STYLE:
        return None
    if name == "style" and (re.search(r"[\\\"'@]|/\*", value) or set(_CALL.findall(value.lower())) - _FUNCTIONS):
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


@functools.cache
def _highlighter() -> Highlight2HTML:
    return Highlight2HTML(pygments_lexer="ipython3")


def highlight_code(source: str, language: str | None = None, metadata: Any = None) -> str:
    """A program in colours, or plain when that could take long."""
    if len(source) > MAX_COLOURED or any(len(line) > MAX_LINE for line in source.splitlines()):
        return f'<div class="highlight hl-ipython3"><pre>{escape(source)}</pre></div>'
    return str(_highlighter()(source, language, metadata))


def _output(output: NotebookNode) -> NotebookNode:
    """The same output, made anew from the parts that a notebook may have."""
    if output.output_type == "stream":
        return new_output("stream", name=output.name, text=output.text)
    if output.output_type == "error":
        lines = output.traceback[-MAX_TRACEBACK:]
        return new_output("error", ename=output.ename, evalue=output.evalue, traceback=lines)
    data = {kind: value for kind, value in map(_data, output.data.items()) if value}
    markdown = output.data.get("text/markdown")
    if isinstance(markdown, str):  # rendered only where it comes with the notebook's own text
        data["text/plain"] = re.sub(r"^#+ ", "", markdown)  # a title, as course_lib's
    return new_output("display_data", data, metadata=alternative_texts(output.metadata))


def alternative_texts(metadata: dict[str, Any]) -> dict[str, Any]:
    """Of an output's metadata, what stands for its pictures where they cannot be seen.

    The rest decides how they look: nbconvert writes a width as it is.
    """
    texts = {}
    for kind in PICTURES:
        shown = metadata.get(kind)
        if isinstance(shown, dict) and isinstance(text := shown.get("alt"), str):
            texts[kind] = {"alt": text[:MAX_ALTERNATIVE]}
    return texts


def _shortened(outputs: list[NotebookNode]) -> Iterator[NotebookNode]:
    """The outputs of a cell, without what it printed beyond the lines that are shown."""
    left = MAX_PRINTED
    for output in outputs:
        if output.output_type == "stream":
            if left < 0:
                continue
            *lines, rest = output.text.split("\n", left)  # not at the \r of a progress bar
            if rest and len(lines) == left:
                output.text = "\n".join([*lines, say("output.cut")])
            left -= len(lines) + bool(rest)
        yield output


def _few_colours(outputs: list[NotebookNode], left: int) -> int:
    """Leave out the escape sequences of a text that has more than ``left``, and long ones; how many others may have."""

    def bounded(text: str) -> str:
        nonlocal left
        text = _LONG_ESCAPE.sub("", text)
        if text.count("\x1b") > left:
            text = _ESCAPE.sub("", text)
        left -= text.count("\x1b")
        return text

    for output in outputs:
        for part in (output, output.get("data", {})):
            part.update({name: bounded(part[name]) for name in ("text", "text/plain") if name in part})
        if "traceback" in output:
            output.traceback = list(map(bounded, output.traceback))
    return left


def _data(item: tuple[str, Any]) -> tuple[str, str]:
    """One representation of a value; empty when it is not kept."""
    kind, value = item
    if not isinstance(value, str):
        return kind, ""
    if kind == "text/plain" or (kind in PICTURES and is_base64(value)):  # TeX can be drawn anywhere on the page
        return kind, value
    with contextlib.suppress(ValueError):
        if kind == "text/html" and len(value) <= MAX_HTML:
            return kind, clean_html(value)
    return kind, ""
