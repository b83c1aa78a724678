"""Snapshots of a notebook: forks of its kernel that wait until the judge has questions for them.

The kernel is forked after a grade cell, before the judge sends any question of that cell. The fork waits at a socket
in its scratch folder, and the notebook goes on in the kernel. When all cells have run, the judge connects to the fork.
For each connection, the fork forks again. The new process answers and exits when the connection closes, so its changes
are lost. The kernel itself never sees a question, and no cell runs in it after the questions.
"""

import contextlib
import io
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, MutableMapping
from typing import Any

from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.getipython import get_ipython

from ..grading_hooks import hooks
from .answering import packed_answer
from .framing import decode, encode, frame, receive_from
from .wire import Packet, WireError, pack, unpack


def take_snapshot(namespace: MutableMapping[str, Any], path: str, folder: str, once: bool = False) -> None:
    """Fork this process; the fork waits for connections at the socket ``path`` and answers them.

    Args:
        namespace: the global variables of the notebook.
        path: the path of the socket. The copy of the files is beside it, at the same path with ``.files`` added.
        folder: the notebook's folder, which is copied.
        once: whether there is one connection only: the fork then answers it itself.

    Raises:
        OSError: if the process cannot be forked, or there is no space for a copy of its files.
        RuntimeError: if it uses a GPU or threads, which do not survive a fork, or has changed its working
            folder.
    """
    inside = os.path.relpath(os.getcwd(), folder)
    if inside.startswith(os.pardir):
        raise RuntimeError("the notebook works in another folder")
    busy = [thread for thread in threading.enumerate() if not thread.daemon and thread is not threading.main_thread()]
    torch = sys.modules.get("torch")
    if busy or (torch is not None and torch.cuda.is_available()):
        raise RuntimeError("a process with a GPU or with threads cannot be forked")
    shutil.copytree(folder, f"{path}.files", symlinks=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(8)
        _fork(_serve_once if once else _serve, listening, namespace, f"{path}.files", inside)


def _fork(work: Callable[..., None], *arguments: object) -> int:
    """Do ``work`` in a fork of this process. The fork then ends, whatever happens. Returns its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            work(*arguments)
        finally:
            os._exit(1)
    return pid


def _serve(listening: socket.socket, namespace: MutableMapping[str, Any], files: str, inside: str) -> None:
    """Answer each connection in a fork of this process, which works ``inside`` a copy of ``files``."""
    _become_silent()
    _close_connections(listening.fileno())
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps the forks
    copies: dict[int, str] = {}
    while True:
        connection, _ = listening.accept()
        with connection:
            for pid in [pid for pid in copies if not _runs(pid)]:
                shutil.rmtree(copies.pop(pid), ignore_errors=True)
            copy = tempfile.mkdtemp()
            shutil.copytree(files, copy, symlinks=True, dirs_exist_ok=True)
            copies[_fork(_greet_and_answer, listening, connection, namespace, os.path.join(copy, inside))] = copy


def _serve_once(listening: socket.socket, namespace: MutableMapping[str, Any], files: str, inside: str) -> None:
    """Answer one connection in this process, which works ``inside`` the folder ``files``."""
    _become_silent()
    _close_connections(listening.fileno())
    connection, _ = listening.accept()
    _greet_and_answer(listening, connection, namespace, os.path.join(files, inside))


def _runs(pid: int) -> bool:
    """Whether a fork of this process still runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _greet_and_answer(
    listening: socket.socket, connection: socket.socket, namespace: MutableMapping[str, Any], folder: str
) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    listening.close()
    os.chdir(folder)
    connection.sendall(b"\0")  # tells the judge the pid of the answering process
    _answer_all(connection, namespace)


def _answer_all(connection: socket.socket, namespace: MutableMapping[str, Any]) -> None:
    """Answer the questions that arrive on ``connection`` until it is closed."""
    receive = receive_from(connection)
    with contextlib.suppress(EOFError):
        while True:
            connection.sendall(frame(*packed_answer(namespace, *decode(receive))))


def _close_connections(kept: int) -> None:
    """Close the kernel's sockets: the judge counts the memory of each socket for each process that has it."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if int(name) != kept and os.readlink(f"/proc/self/fd/{name}").startswith(("socket:", "anon_inode:")):
                os.close(int(name))


def _become_silent() -> None:
    """Print and show nothing, recall no training run, and compute in one thread: a fork has no other threads."""
    sys.stdout = sys.stderr = io.StringIO()
    if (shell := get_ipython()) is not None:
        shell.display_pub = CapturingDisplayPublisher()
    hooks.recall_training = hooks.recall_evaluation = hooks.keep_training = None
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def ask_a_fork(namespace: MutableMapping[str, Any], question: Packet) -> Packet:
    """Ask a fork of this process. This is for an author's own notebook, which has nothing to hide."""
    torch = sys.modules.get("torch")
    on_card = torch is not None and torch.cuda.is_initialized()
    if not hasattr(os, "fork") or sys.platform == "darwin" or on_card:
        content, data = pack(question)  # no fork here, so the probe's changes persist; grading always forks
        content, data = packed_answer(namespace, content, [data])
        return unpack(content, [data])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pid = _fork(_answer_in_silence, ours, theirs, namespace)
        try:
            theirs.close()
            ours.sendall(encode(question))
            return unpack(*decode(receive_from(ours)))
        except EOFError as error:
            raise WireError("the probe ended the process") from error
        finally:
            ours.close()
            os.waitpid(pid, 0)


def _answer_in_silence(ours: socket.socket, theirs: socket.socket, namespace: MutableMapping[str, Any]) -> None:
    ours.close()
    _become_silent()
    _answer_all(theirs, namespace)
