"""Asks for a finished training thousands of times, and reads no answer."""

kernel = get_ipython().kernel
ident = kernel._get_shell_context_var(kernel._shell_parent_ident)
parent = kernel.get_parent("shell")
for number in range(3000):
    rubbish = [b"no tensors"] * (number % 2)
    kernel.session.send(kernel.stdin_socket, "training_request", {"recipe": "0" * 32}, parent, ident, buffers=rubbish)


def add(x):
    return 0.0
