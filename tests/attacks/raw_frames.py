"""Replies that are not valid messages: unsigned, cut off, not JSON."""

kernel = get_ipython().kernel


def add(x):
    original = kernel.session.send

    def send(stream, msg_or_type, *args, **kwargs):
        if msg_or_type == "judge_reply":
            ident = args[2] if len(args) > 2 else kwargs.get("ident")
            idents = ident if isinstance(ident, list) else [ident]
            stream.send_multipart([*idents, b"<IDS|MSG>", b"", b"{", b"[]", b"nonsense", b"\xff"])
            return None
        return original(stream, msg_or_type, *args, **kwargs)

    kernel.session.send = send
    return 0.0
