"""Questions and answers as one-line strings, which an instructor reads when a student appeals."""

import reprlib

import torch

from ..kernel.wire import Other, Packet, Value, WireError, restore

_SHOWN_NUMBERS = 6
"""Numbers of a tensor that are shown."""


def question_line(question: Packet) -> str:
    """A question in one line."""
    fields, tensors = question.fields, question.tensors
    inputs = [restore(value, tensors) for value in fields.get("args", [])]
    inputs += [tensors["x"]] if "x" in tensors else []
    notes = [f"{fields['weights']} injected weights"] if fields.get("weights") else []
    notes += [note for note, field in (("gradients", "loss"), ("training mode", "train")) if fields.get(field)]
    return f"{fields['ask']} {fields.get('name', '')}({'; '.join([*map(_shown, inputs), *notes])})"


def answer_line(reply: Packet) -> str:
    """An answer in one line. The student's kernel may have sent anything."""
    fields = reply.fields
    names = [name for name in ("status", "type", "message", "parameters", "buffers") if name in fields]
    parts = [f"{name}={fields[name]!r}"[:300] for name in names if fields[name] != "ok"]
    if "value" in fields:
        try:
            parts.insert(0, _shown(restore(fields["value"], reply.tensors)))
        except WireError as error:
            parts.insert(0, f"unreadable: {error}")
    return ", ".join(parts)


def _shown(value: Value) -> str:
    if isinstance(value, Other):
        return f"a {value.type_name}"
    if not isinstance(value, torch.Tensor):
        try:
            return reprlib.repr(value)[:200]
        except Exception:  # such as that of an int of more than 4300 digits
            return f"a {type(value).__name__}"
    first = ", ".join(f"{number:.4g}" for number in value.flatten()[:_SHOWN_NUMBERS].tolist())
    more = ", ..." if value.numel() > _SHOWN_NUMBERS else ""
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)} [{first}{more}]"
