"""The result of a grade cell as HTML and as text."""

import re
from html import escape

from ..messages import say
from .result import CellResult, Verdict

_LOOK = {
    Verdict.PASSED: ("✓", "#1a7f37"),
    Verdict.NOT_ATTEMPTED: ("…", "#57606a"),
    Verdict.TEST_CRASHED: ("?", "#57606a"),
}
_CELL = "text-align:left;padding:.2em .8em"
_OTHER = ("✗", "#b35900")


def format_points(points: float) -> str:
    """Points without needless zeros: 2, 0.5."""
    return f"{points:g}"


def symbol(verdict: Verdict) -> tuple[str, str]:
    """The symbol of a verdict, and its colour. Always show the verdict's word next to them."""
    return _LOOK.get(verdict, _OTHER)


def verdict_text(verdict: Verdict) -> str:
    """A verdict as text, in the current language: its symbol and its word."""
    return f"{symbol(verdict)[0]} {say(f'verdict.{verdict}')}"


def counted(count: int, verdict: Verdict) -> str:
    """A number of verdicts in words, such as ``2 timeouts``, in the current language."""
    key = "verdict" if count == 1 else "verdicts"
    return f"{count} {say(f'{key}.{verdict}')}"


def cell_html(cell: CellResult) -> str:
    """The result of a grade cell as a table, in the current language."""
    head = "".join(
        f"<th style='{_CELL}'>{escape(say(f'feedback.{name}'))}</th>" for name in ("verdict", "test", "points", "hint")
    )
    rows = []
    for test in cell.tests:
        sign, colour = symbol(test.verdict)
        verdict = f"<b style='color:{colour}'>{sign}&nbsp;{escape(say(f'verdict.{test.verdict}'))}</b>"
        points = f"{format_points(test.score)}&nbsp;/&nbsp;{format_points(test.points)}"
        texts = (verdict, escape(str(test.rationale)), points, _without_tex(escape(test.hint)))
        rows.append("<tr>" + "".join(f"<td style='{_CELL}'>{text}</td>" for text in texts) + "</tr>")
    title = say("feedback.title", score=format_points(cell.score), points=format_points(cell.points))
    label = f"<p><small>{escape(say('classic.label'))}</small></p>" if cell.classic else ""
    return f"<p><b>{escape(title)}</b></p><table><tr>{head}</tr>{''.join(rows)}</table>{label}"


def _without_tex(html: str) -> str:
    """HTML without formulas: rendered as TeX, a message could draw over the marks. MathJax skips formulas with tags."""
    return re.sub(r"[$\\]", r"<span>\g<0></span>", html)


def cell_text(cell: CellResult) -> str:
    """The result of a grade cell as text, in the current language."""
    lines = [say("feedback.title", score=format_points(cell.score), points=format_points(cell.points))]
    for test in cell.tests:
        verdict = f"{verdict_text(test.verdict)} ({format_points(test.score)}/{format_points(test.points)})"
        lines.append(say("labelled", name=verdict, text=f"{test.rationale} {test.hint}".rstrip()))
    return "\n".join([*lines, *([say("classic.label")] if cell.classic else [])])
