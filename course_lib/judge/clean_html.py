"""Clean a student's HTML, so that a page can show it."""

import re

import nh3
from pygments.token import STANDARD_TYPES

from .parse_timeout import uninterrupted

MAX_REOPENED = 2_000_000
"""Limit on (total length of opening tags) × (number of tags). HTML above it is rejected, because the parser reopens
unclosed tags in each paragraph and the result grows."""

MAX_STYLE = 1000
"""Limit on the length of a style attribute, in characters. A longer one is removed: the time to find CSS functions in
it grows with the square of its length."""

# What stays in the HTML. Nothing here can run a script, send a request, or move or hide other parts of the page.
_TAGS = {
    "a", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "details", "div", "dl",
    "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "ol", "p", "pre", "s", "small",
    "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "*": {"style", "role", "title", "align", "colspan", "rowspan"}, "a": {"href"}, "img": {"src", "alt"},
}  # fmt: skip
_STYLES = {
    "background", "background-color", "border", "border-collapse", "border-left", "color", "font-size", "font-style",
    "font-weight", "padding", "text-align",
}  # fmt: skip
_CSS_FUNCTIONS = {"color-mix", "hsl", "hsla", "linear-gradient", "rgb", "rgba"}
"""The allowed CSS functions. Others, such as ``url``, can send a request."""
_CLASSES = {"div": {"highlight"}, "span": {name for name in STANDARD_TYPES.values() if name}}

_CSS_CALL = re.compile(r"([^\s,:;(]*)\(")
_REOPENED_TAG = re.compile(r"<\s*(?:a|b|code|em|i|s|small|strong|u)\b[^>]*>?", re.IGNORECASE)


def clean_html(text: str) -> str:
    """Remove scripts, frames, remote images and everything that could be drawn outside its place on the page.

    Raises:
        ValueError: if cleaning would make the HTML very long.
    """
    if sum(map(len, _REOPENED_TAG.findall(text))) * text.count("<") > MAX_REOPENED:
        raise ValueError("too many unclosed tags")
    with uninterrupted():  # nh3 swallows exceptions from the attribute filter, and so would swallow a timeout
        clean = nh3.clean(
            text,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            attribute_filter=_clean_attribute,
            url_schemes={"http", "https", "mailto", "data"},
            url_relative="deny",
            filter_style_properties=_STYLES,
            allowed_classes=_CLASSES,
        )
    return f"<div style='contain:paint;overflow:hidden'>{clean}</div>"  # nothing is drawn outside it


def _clean_attribute(tag: str, name: str, value: str) -> str | None:
    if value.strip().lower().startswith("data:") and tag != "img":
        return None
    if name == "src" and not value.startswith("data:image/"):  # the browser would send a request for the instructor
        return None
    if name == "style":
        if len(value) > MAX_STYLE or re.search(r"[\\\"'@]|/\*", value):
            return None
        if set(_CSS_CALL.findall(value.lower())) - _CSS_FUNCTIONS:
            return None
    return value
