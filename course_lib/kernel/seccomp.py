"""Blocks system calls that namespaces do not isolate, with a seccomp filter.

- Kernel keyrings, message queues, file watches and file leases belong to the user, not to a namespace.
- Sockets of virtual machines ignore network namespaces.
- Files in memory, semaphores and shared anonymous memory do not count towards any limit.
- Some calls let a process provoke its own SIGKILL. The judge must be able to take SIGKILL as proof of a kill from
  outside.

A notebook needs none of them.
"""

import ctypes
import errno
import fcntl
import mmap
import platform
import resource
import socket
import struct
from collections.abc import Container

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
# instructions of the filter program (BPF): load a word, mask its bits, compare it with a constant, return
LD, AND, JEQ, JGE, RET = 0x20, 0x54, 0x15, 0x35, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
"""Offsets of these fields in the data that the filter inspects, ``struct seccomp_data``."""

_MACHINES = {
    "x86_64": (0xC000003E, {
        "add_key": 248, "request_key": 249, "keyctl": 250, "memfd_create": 319, "bpf": 321, "perf_event_open": 298,
        "userfaultfd": 323, "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "seccomp": 317,
        "io_setup": 206, "socket": 41, "setrlimit": 160, "prlimit64": 302, "prctl": 157, "mmap": 9, "semget": 64,
        "msgget": 68, "mq_open": 240, "inotify_init": 253, "inotify_init1": 294, "fanotify_init": 300, "fcntl": 72,
    }),
    "aarch64": (0xC00000B7, {
        "add_key": 217, "request_key": 218, "keyctl": 219, "memfd_create": 279, "bpf": 280, "perf_event_open": 241,
        "userfaultfd": 282, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "seccomp": 277,
        "io_setup": 0, "socket": 198, "setrlimit": 164, "prlimit64": 261, "prctl": 167, "mmap": 222, "semget": 190,
        "msgget": 186, "mq_open": 180, "inotify_init1": 26, "fanotify_init": 262, "fcntl": 25,
    }),
}  # fmt: skip
"""By machine: the number of its architecture in audit logs, and the numbers of the system calls."""

_NEW = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}
"""The numbers of newer system calls, the same on every machine."""

SHARED_ANONYMOUS = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS
"""Flags of ``mmap`` for memory that several processes share. Once unmapped, it is not attributed to any of them."""

WHOLE = 0xFFFFFFFF
"""Mask for all bits of an argument that the filter looks at."""

_BY_ARGUMENT = {
    "mmap": (3, SHARED_ANONYMOUS, SHARED_ANONYMOUS),
    "socket": (0, WHOLE, socket.AF_VSOCK),
    "setrlimit": (0, WHOLE, resource.RLIMIT_CPU),
    "prlimit64": (1, WHOLE, resource.RLIMIT_CPU),
    "prctl": (0, WHOLE, PR_SET_SECCOMP),
    "fcntl": (1, WHOLE ^ 16, fcntl.F_SETLEASE),  # and F_SETDELEG: another program that opens the file waits 45 s
}
"""Calls that are refused only if one argument has a certain value: its index from 0, a mask, and the masked value."""


def filter_program(allowed: Container[str]) -> bytes:
    """The filter as a classic BPF program.

    Args:
        allowed: names of calls in the lists above that are allowed nevertheless.
    """
    architecture, numbers = _MACHINES[platform.machine()]

    def step(code: int, k: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("HBBI", code, if_true, if_false, k)

    refuse = step(RET, REFUSE)
    program = [step(LD, ARCHITECTURE), step(JEQ, architecture, 1, 0), refuse, step(LD, NUMBER)]
    program += [step(JGE, 0x40000000, 0, 1), refuse]  # numbers of the same calls in another calling convention
    for name, number in (numbers | _NEW).items():
        if name in allowed:
            continue
        if name in _BY_ARGUMENT:
            argument, bits, value = _BY_ARGUMENT[name]
            program += [step(JEQ, number, 0, 5), step(LD, FIRST_ARGUMENT + 8 * argument), step(AND, bits)]
            program += [step(JEQ, value, 0, 1), refuse, step(LD, NUMBER)]
        else:
            program += [step(JEQ, number, 0, 1), refuse]
    return b"".join([*program, step(RET, ALLOW)])


def forbid_system_calls(allowed: Container[str] = ()) -> None:
    """Permanently forbid these system calls in this process and its children.

    The process must have set ``PR_SET_NO_NEW_PRIVS`` before.

    Args:
        allowed: names of calls that are allowed nevertheless.

    Raises:
        OSError: if the system does not support such filters.
        KeyError: on a machine whose system calls are not listed here.
    """
    program = filter_program(allowed)
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the system refuses a seccomp filter")
