"""Answers a question of the judge, without torch if the question and the notebook do not need it."""

import contextlib
import random
import sys
from collections.abc import Callable, MutableMapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from ..error_causes import MAX_TEXT
from . import probes
from .classic import run_grade_cell
from .wire import Packet, describe, pack

_SEEDINGS: list[Callable[[int], object]] = [random.seed, np.random.seed]
"""Looked up at import: a student may write ``random.seed = 0`` later."""

_HAS_TORCH = "torch" in sys.modules
if _HAS_TORCH:
    from ..device import seed as _seed

    _SEEDINGS.append(_seed)

MAX_LINES = 20
"""Lines of the student's code that an answer names."""


def seed_all(number: int) -> None:
    """Seed random, numpy and torch."""
    for seeding in _SEEDINGS:
        with contextlib.suppress(Exception):  # the student's code may have broken the seeding
            seeding(number)
    if not _HAS_TORCH and "torch" in sys.modules:  # the student imports it, and the source notebook does not
        with contextlib.suppress(Exception):
            sys.modules["torch"].manual_seed(number)


def raised(error: BaseException, status: str = "raised", **more: object) -> Packet:
    """Build the answer that reports an exception."""
    try:
        message = str(error)[:MAX_TEXT]
        lines = [line[:MAX_TEXT] for line in islice(probes.student_lines(error), MAX_LINES)]
    except Exception:
        message, lines = "", []
    fields = {"status": status, "type": type(error).__name__[:MAX_TEXT], "message": message, "lines": lines}
    return Packet(fields | more)


def packed_answer(
    namespace: MutableMapping[str, Any], content: Any, buffers: Sequence[bytes | memoryview]
) -> tuple[dict[str, Any], bytes]:
    """Answer a question in the format of the wire: take and return content and binary data of a message."""
    ask = content.get("ask") if isinstance(content, dict) else None
    if ask == "ping":
        return pack(Packet({"status": "ok"}))
    if ask == "cell":
        return pack(_cell(namespace, content))
    from .responder import Responder

    return Responder(namespace).packed_answer(content, buffers)


def _cell(namespace: MutableMapping[str, Any], content: dict[str, Any]) -> Packet:
    """Run a classic grade cell: its ``source``, after seeding random numbers with ``seed``."""
    try:
        seed_all(content["seed"])
        value = run_grade_cell(content["source"], namespace)
    except BaseException as error:  # includes SystemExit and KeyboardInterrupt from the student's code
        return raised(error)
    return Packet({"status": "ok", "value": describe(value, "value", {})})
