"""Snapshots of a notebook: forks of its kernel that wait until the judge has questions for them.

The kernel is forked behind a grade cell, before the judge sends any question of that cell. The fork waits at a socket
in its scratch folder, and the notebook goes on in the kernel. When all cells have run, the judge connects to the fork.
For each connection, the fork forks once more: that process answers, and ends with the connection, so what a question
changes is gone. Nothing of the questions was ever in the kernel itself, and no cell runs after them.
"""

import io
import os
import signal
import socket
import sys
from collections.abc import MutableMapping
from typing import Any

import torch

from ..grading_hooks import hooks
from .framing import decode, encode, frame, receive_from
from .responder import Responder
from .wire import Packet, WireError, pack, unpack


def take_snapshot(namespace: MutableMapping[str, Any], path: str) -> None:
    """Fork this process; the fork waits for connections at the socket ``path`` and answers them.

    Raises:
        OSError: if the process cannot be forked.
        RuntimeError: if it uses a graphics card, which a fork cannot use.
    """
    if torch.cuda.is_initialized():
        raise RuntimeError("a process that uses a graphics card cannot be forked")
    listening = socket.socket(socket.AF_UNIX)
    with listening:
        listening.bind(path)
        listening.listen(8)
        if os.fork() == 0:
            _become_silent()
            _serve(listening, namespace)


def _serve(listening: socket.socket, namespace: MutableMapping[str, Any]) -> None:
    """Fork once for each connection; never return."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
        while True:
            connection, _ = listening.accept()
            with connection:
                if os.fork() == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    listening.close()
                    connection.sendall(b"\0")  # the judge learns from it which process answers
                    answer_all(connection, namespace)
    finally:
        os._exit(1)


def answer_all(connection: socket.socket, namespace: MutableMapping[str, Any]) -> None:
    """Answer the questions that come through ``connection``, then end this process."""
    try:
        responder, receive = Responder(namespace), receive_from(connection)
        while (question := decode(receive)) is not None:
            connection.sendall(frame(*responder.packed_answer(*question)))
    finally:
        os._exit(0)


def _become_silent() -> None:
    """Print nothing, ask for no finished training, and compute in one thread: a fork has no other threads."""
    sys.stdout = sys.stderr = io.StringIO()
    hooks.recall_training = hooks.recall_evaluation = hooks.keep_training = None
    torch.set_num_threads(1)


def ask_a_fork(namespace: MutableMapping[str, Any], question: Packet) -> Packet:
    """The answer of a fork of this process: an author's own notebook, where nothing has to be hidden."""
    if not hasattr(os, "fork") or sys.platform == "darwin" or torch.cuda.is_initialized():
        content, data = pack(question)  # what the probe changes stays; grading forks
        content, data = Responder(namespace).packed_answer(content, [data])
        return unpack(content, [data])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pid = os.fork()
        if pid == 0:
            ours.close()
            _become_silent()
            answer_all(theirs, namespace)
        theirs.close()
        ours.sendall(encode(question))
        answer = decode(receive_from(ours))
        ours.close()
        os.waitpid(pid, 0)
    if answer is None:
        raise WireError("the probe ended the process")
    return unpack(*answer)
