"""Write code for another process in a block that is indented like the test around it."""

from textwrap import dedent


def code(text: str) -> str:
    """Return ``text`` without the indentation that its lines share and without the empty lines around it."""
    return dedent(text).strip("\n")
