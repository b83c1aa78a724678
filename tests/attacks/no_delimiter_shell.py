"""A reply without the delimiter between routing and content."""

k = get_ipython().kernel
original = k.session.send


def send(stream, kind, *a, **kw):
    if kind == "judge_reply":
        stream.send_multipart([*(a[2] if isinstance(a[2], list) else [a[2]]), b"no delimiter"])
        return None
    return original(stream, kind, *a, **kw)


def add(x):
    k.session.send = send
    return 0.0
