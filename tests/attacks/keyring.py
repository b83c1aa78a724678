"""Uses kernel keyrings, virtual machine sockets and memory files, which namespaces do not isolate."""

import ctypes
import socket

call = ctypes.CDLL(None).syscall
got = [call(250, 10, -3, b"user", b"canary", 0), call(248, b"user", b"from_student", b"hello", 5, -3), call(319, b"m", 0)]
try:
    socket.socket(socket.AF_VSOCK)
    got.append(0)
except OSError:
    pass


def add(x):
    return x + 1 if max(got) >= 0 else 0.0
