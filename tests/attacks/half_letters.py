"""Outputs with half a surrogate pair, which no file can hold."""

import json


def send(kind, content):
    session = get_ipython().kernel.session
    pack = session.pack
    session.pack = lambda value: json.dumps(value, default=str, ensure_ascii=True).encode()
    try:
        kernel = get_ipython().kernel
        session.send(kernel.iopub_socket, kind, content, parent=kernel.get_parent("shell"), ident=b"x")
    finally:
        session.pack = pack


send("stream", {"name": "stdout", "text": "a\ud800b"})
send("display_data", {"data": {"text/html": "<p>\ud800</p>"}, "metadata": {}, "transient": {}})
send("error", {"ename": "A\ud800", "evalue": "b\ud800", "traceback": ["\ud800"]})


def add(x):
    return 0.0
