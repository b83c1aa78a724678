"""Make what a student left in a notebook safe to store and to open in a browser.

formgrader shows the notebook in the instructor's own session, where a script could change marks. Outputs are cleaned
before the notebook is stored. Markdown is cleaned after nbconvert has turned it into HTML, because the HTML cannot be
predicted: ``nbgrader_config.py`` installs these filters in formgrader and the feedback pages.
"""

import contextlib
import functools
import re
from collections.abc import Iterator
from html import escape
from typing import Any

from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters import Highlight2HTML
from nbformat import NotebookNode
from nbformat.v4 import new_output

from ..assignment.cells import is_students
from ..messages import say
from .clean_html import clean_html
from .read_notebook import PICTURES, is_base64

PAGE_FILTERS = {
    name: f"course_lib.judge.sanitize.{name}" for name in ("highlight_code", "markdown2html", "strip_files_prefix")
}
"""For ``c.HTMLExporter.filters``."""

# -- limits: a page renders in seconds whatever the student's code displays. Lengths are in characters. ---------------

MAX_SOURCE = 200_000
"""Length of everything that a student wrote in a notebook. The rest is cut: the page would take minutes to render."""

MAX_MARKDOWN = 20_000
"""Length of a Markdown cell. The rest is cut: the time to render it can grow with the square of its length."""

MAX_HTML = 100_000
"""Length of an HTML output. A longer one is dropped: the time to clean it can grow with the square of its length."""

MAX_HIGHLIGHTED, MAX_LINE = 50_000, 1000
"""Length of a code cell, and of its longest line. A longer one is shown without colours: the time to highlight it grows
with the square of the line length."""

MAX_PICTURES = 2**26
"""Limit on (length of the largest picture pasted into a cell) × (number of pictures that the cell shows). Above it, the
pictures are dropped: the page would contain a copy of the picture each time the cell shows it."""

MAX_ALT_TEXT = 1000
"""Length of the alternative text of a picture. The rest is cut: the page would become huge."""

MAX_ESCAPES = 20_000
"""Terminal escape sequences in a notebook. Beyond it, they are removed: the time to turn them into colours grows with
their number times the length of the text."""

MAX_PRINTED, MAX_TRACEBACK = 1000, 100
"""Lines of printed text in a cell, and of a traceback. The rest is cut, as in nbgrader: nobody reads more."""

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;]*[@-~]?)?")
_LONG_ESCAPE = re.compile(r"\x1b\[[^@-~\n]{100,}")


def sanitize_notebook(notebook: NotebookNode) -> None:
    """Limit the length of what the student wrote, then clean the outputs of every cell."""
    source_left, escapes_left = MAX_SOURCE, MAX_ESCAPES
    for cell in filter(is_students, notebook.cells):  # first, because it is fast and cleaning may run out of time
        source_left = _limit_source(cell, source_left)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = list(_limit_printed([_clean_output(output) for output in cell.get("outputs", [])]))
            escapes_left = _limit_escapes(cell.outputs, escapes_left)
            cell.execution_count = None


def drop_outputs(notebook: NotebookNode) -> None:
    """Remove all outputs, for a notebook whose outputs took too long to clean."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [new_output("stream", name="stderr", text=say("output.cut"))] if cell.outputs else []
        elif len(cell.source) > MAX_MARKDOWN:
            cell.source = cell.source[:MAX_MARKDOWN]


def _limit_source(cell: NotebookNode, left: int) -> int:
    """Cut what the student wrote in ``cell`` to ``left`` characters. Returns how many are left for the next cells."""
    longest = left
    if cell.cell_type != "code":
        longest = min(left, MAX_MARKDOWN)
        cell.source = re.sub(r"[^\S\n]{100,}", " ", cell.source)  # a renderer takes minutes for long runs of blanks
        sizes = [len(picture) for data in cell.get("attachments", {}).values() for picture in data.values()]
        shown = cell.source.count("![") + cell.source.lower().count("<img")
        if max(sizes, default=0) * shown > MAX_PICTURES:
            del cell["attachments"]
    if len(cell.source) > longest:
        cell.source = cell.source[:longest] + " […]"
    return max(0, left - len(cell.source))


# -- outputs -----------------------------------------------------------------------------------------------------------


def _clean_output(output: NotebookNode) -> NotebookNode:
    """Rebuild the output from the parts that a page may show."""
    if output.output_type == "stream":
        return new_output("stream", name=output.name, text=output.text)
    if output.output_type == "error":
        lines = output.traceback[-MAX_TRACEBACK:]
        return new_output("error", ename=output.ename, evalue=output.evalue, traceback=lines)
    cleaned = {mime_type: _clean_data(mime_type, value) for mime_type, value in output.data.items()}
    data = {mime_type: value for mime_type, value in cleaned.items() if value}
    markdown = output.data.get("text/markdown")
    if isinstance(markdown, str):  # shown as plain text; course_lib displays titles as Markdown
        data["text/plain"] = re.sub(r"^#+ ", "", markdown)
    cleaned_output = new_output("display_data", data, metadata=alternative_texts(output.metadata))
    if output.output_type == "execute_result" and isinstance(output.get("execution_count"), int):
        cleaned_output |= {"output_type": "execute_result", "execution_count": output.execution_count}
    return cleaned_output


def _clean_data(mime_type: str, value: Any) -> str:
    """One representation of a displayed value; empty if a page may not show it. LaTeX may draw anywhere on a page."""
    if not isinstance(value, str):
        return ""
    if mime_type == "text/plain" or (mime_type in PICTURES and is_base64(value)):
        return value
    if mime_type == "text/html" and len(value) <= MAX_HTML:
        with contextlib.suppress(ValueError):
            return clean_html(value)
    return ""


def alternative_texts(metadata: dict[str, Any]) -> dict[str, Any]:
    """The part of an output's metadata that is kept: the alternative texts of pictures.

    The other metadata set how pictures look. nbconvert writes a width into the page without escaping it.
    """
    texts = {}
    for mime_type in PICTURES:
        picture = metadata.get(mime_type)
        if isinstance(picture, dict) and isinstance(text := picture.get("alt"), str):
            texts[mime_type] = {"alt": text[:MAX_ALT_TEXT]}
    return texts


def _limit_printed(outputs: list[NotebookNode]) -> Iterator[NotebookNode]:
    """The outputs of a cell, without what it printed beyond the first :data:`MAX_PRINTED` lines."""
    left = MAX_PRINTED  # -1 once the notice about the cut is there
    for output in outputs:
        if output.output_type == "stream":
            if left < 0:
                continue
            *lines, rest = output.text.split("\n", left)  # a progress bar is one line: it has \r, not \n
            if rest and len(lines) == left:
                output.text = "\n".join([*lines, say("output.cut")])
            left -= len(lines) + bool(rest)
        yield output


def _limit_escapes(outputs: list[NotebookNode], left: int) -> int:
    """Remove overlong escape sequences, and all of them from a text with more than ``left``. Returns what is left."""

    def limit(text: str) -> str:
        nonlocal left
        text = _LONG_ESCAPE.sub("", text)
        if text.count("\x1b") > left:
            text = _ESCAPE.sub("", text)
        left -= text.count("\x1b")
        return text

    for output in outputs:
        if output.output_type == "stream":
            output.text = limit(output.text)
        elif output.output_type == "error":
            output.traceback = [limit(line) for line in output.traceback]
        elif "text/plain" in output.data:
            output.data["text/plain"] = limit(output.data["text/plain"])
    return left


# -- pages -------------------------------------------------------------------------------------------------------------


@functools.cache
def _exporter() -> HTMLExporter:
    return HTMLExporter(exclude_anchor_links=True)


@pass_context
def markdown2html(context: Any, source: str) -> str:
    """Turn a Markdown cell into clean HTML, as nbconvert does; if that fails, show its text."""
    try:
        return clean_html(_exporter().markdown2html(context, source))
    except Exception:  # a missing attachment, or anything else that nbconvert raises
        return f"<pre>{escape(source)}</pre>"


@functools.cache
def _highlighter() -> Highlight2HTML:
    return Highlight2HTML(pygments_lexer="ipython3")


def highlight_code(source: str, language: str | None = None, metadata: Any = None) -> str:
    """Show a program in colours, or without if colours could take long."""
    if len(source) > MAX_HIGHLIGHTED or any(len(line) > MAX_LINE for line in source.splitlines()):
        return f'<div class="highlight hl-ipython3"><pre>{escape(source)}</pre></div>'
    return str(_highlighter()(source, language, metadata))


def strip_files_prefix(html: str) -> str:
    """Leave links as they are.

    nbconvert removes the prefix ``files/`` of notebooks from before 2013, in a time that grows with the cube of the
    text's length: 8 kB of a student's text took 11 s.
    """
    return html
