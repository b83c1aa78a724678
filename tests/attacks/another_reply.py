"""Answers the request to run a cell with another type of message."""

k = get_ipython().kernel
original = k.session.send


def send(stream, kind, content=None, *a, **kw):
    if kind == "execute_reply":
        kind, content = "another_reply", {}
    return original(stream, kind, content, *a, **kw)


k.session.send = send


def add(x):
    return 0.0
