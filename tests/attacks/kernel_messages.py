"""Sends forged messages over the kernel's sockets."""

kernel = get_ipython().kernel


def send(name, content):
    kernel.session.send(kernel.iopub_socket, name, content, parent=kernel.get_parent("shell"))


def add(x):
    send("stream", {"name": "stdout"})
    send("error", {"ename": 3})
    send("status", {})
    send("display_data", {"data": 7, "metadata": None})
    send("no_such_type", {"execution_count": "many"})
    return 0.0


add(1.0)
