"""Jupyter messages from a student's kernel, checked before anything else reads them.

A student's code can send any bytes with a valid signature. Only messages that follow Jupyter's protocol, as far as the
judge relies on it, get through.
"""

from collections.abc import Callable
from typing import Any

import fastjsonschema
from jupyter_client.session import Session

from ..kernel.wire import Packet, pack

_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}
_TRANSIENT = {"type": ["object", "null"], "properties": {"display_id": {"type": ["string", "null"]}}}
_BUNDLE = {"data": _OBJECT, "metadata": _OBJECT, "transient": _TRANSIENT}
_CONTENTS: dict[str, dict[str, Any]] = {
    "stream": {"name": {"enum": ["stdout", "stderr"]}, "text": _TEXT},
    "display_data": _BUNDLE,
    "update_display_data": _BUNDLE,
    "execute_result": _BUNDLE,
    "error": {"ename": _TEXT, "evalue": _TEXT, "traceback": {"type": "array", "items": _TEXT}},
    "status": {"execution_state": _TEXT},
    "execute_reply": {"status": _TEXT},
    "kernel_info_reply": {"protocol_version": _TEXT},
}
OUTPUTS = {"stream", "display_data", "update_display_data", "execute_result", "error"}
"""Types of messages that become outputs of a cell."""


def _schema(content: dict[str, Any]) -> dict[str, Any]:
    """The schema of a message whose content has these properties."""
    header = {"type": "object", "properties": {"msg_id": _TEXT, "msg_type": _TEXT}, "required": ["msg_id", "msg_type"]}
    always = {"execution_count": {"type": ["integer", "null"]}}
    body = {"type": "object", "properties": always | content, "required": [k for k in content if k != "transient"]}
    parts = {"header": header, "parent_header": _OBJECT, "metadata": _OBJECT, "content": body}
    return {"type": "object", "properties": parts, "required": list(parts)}


_check_any = fastjsonschema.compile(_schema({}))
_checks: dict[str, Callable[[Any], Any]] = {
    kind: fastjsonschema.compile(_schema(content)) for kind, content in _CONTENTS.items()
}


class BadMessage(Exception):
    """The kernel sent a message that no proper kernel sends."""


class CheckedSession(Session):
    """Reads only messages that follow Jupyter's protocol."""

    def feed_identities(self, msg_list: Any, copy: bool = True) -> tuple[list[bytes], list[Any]]:
        """The routing part of a message, and the rest.

        Raises:
            BadMessage: if there is no delimiter between them.
        """
        try:
            identities, rest = super().feed_identities(msg_list, copy)
        except Exception as error:
            raise BadMessage("no delimiter") from error
        return identities, rest

    def deserialize(self, msg_list: Any, content: bool = True, copy: bool = True) -> dict[str, Any]:
        """One message, with its size in bytes under ``size``.

        Raises:
            BadMessage: if it does not follow the protocol.
        """
        try:
            message: dict[str, Any] = super().deserialize(msg_list, content, copy)
            _check_any(message)
            check = _checks.get(message["header"]["msg_type"])
            if check is not None:
                check(message)
            message["size"] = sum(len(frame) for frame in msg_list)
        except Exception as error:  # jupyter_client, its JSON reader and the checks raise many types
            raise BadMessage(f"{type(error).__name__}: {error}"[:500]) from error
        return message


def packet_message(session: Session, kind: str, packet: Packet) -> dict[str, Any]:
    """The Jupyter message that sends ``packet`` to a kernel.

    Raises:
        WireError: if the packet is too large.
    """
    content, data = pack(packet)
    message: dict[str, Any] = session.msg(kind, content)
    message["buffers"] = [data]
    return message


def without_half_surrogates(value: Any) -> Any:
    """A JSON value whose strings can be written to a file: lone surrogates cannot."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [without_half_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {without_half_surrogates(name): without_half_surrogates(item) for name, item in value.items()}
    return value
