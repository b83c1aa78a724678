"""Isolates a kernel: its own namespaces, private folders, no privileges, resource limits.

This module makes system calls directly and needs no root privileges, because it works in a user namespace.
"""

import contextlib
import ctypes
import os
import resource
from pathlib import Path
from typing import Any

from .seccomp import forbid_system_calls

# constants of Linux for which Python has no names
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = (1 << n for n in (17, 27, 28, 29, 30))
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = (1 << n for n in (12, 14, 18))
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
CAPABILITIES_VERSION_3 = 0x20080522

WORK = "/tmp/work"
"""The notebook's folder, in the file system of its kernel."""

STUDENT = 1000
"""User and group id of the student's code in its namespace."""

MAX_OPEN_FILES = 256
"""Files and sockets that a process may have open at the same time."""

MAX_THREADS = 1000
"""Threads and processes that a kernel may start, including those that have ended, before it first uses a
GPU."""

MAX_PENDING_SIGNALS = 1000
"""Pending signals. The system limits their number for each user of the machine, so one kernel must not use them up."""

MAX_TERMINALS = 16
"""Pseudo-terminals of a kernel; ``!ls`` needs one. The whole machine has a few thousand."""

MAX_INODES = 20_000
"""Files, folders and links in each writable folder of a kernel: even an empty one takes memory."""

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent ends."""
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def enter_namespaces() -> None:
    """Give this process its own namespaces, in which it is the user :data:`STUDENT`.

    Only its children will be in the new process namespace.
    """
    uid, gid = os.getuid(), os.getgid()
    _check(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{STUDENT} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{STUDENT} {gid} 1")


def lock_in(limits: dict[str, Any], keep: list[str]) -> None:
    """Confine this process: private scratch folders, no other writable folders, no new namespaces, no capabilities.

    Args:
        limits: the fields of :class:`course_lib.judge.limits.Limits`.
        keep: folders below /tmp that stay visible there, such as a Python environment.
    """
    scratch = f"size={limits['scratch']},mode=0700,nr_inodes={MAX_INODES},uid={STUDENT},gid={STUDENT}".encode()
    _check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    kept = [(path, os.open(path, os.O_PATH)) for path in keep]
    for place in (b"/tmp", b"/dev/shm"):
        _check(_libc.mount(b"tmpfs", place, b"tmpfs", MS_NOSUID | MS_NODEV, scratch))
    for path, descriptor in kept:
        os.makedirs(path, exist_ok=True)
        _check(_libc.mount(f"/proc/self/fd/{descriptor}".encode(), os.fsencode(path), None, MS_BIND | MS_REC, None))
        os.close(descriptor)
    terminals = f"ptmxmode=0666,max={MAX_TERMINALS}".encode()
    _check(_libc.mount(b"devpts", b"/dev/pts", b"devpts", MS_NOSUID | MS_NOEXEC, terminals))
    # mapping /dev/zero would give memory that is not attributed to any process
    _check(_libc.mount(b"/dev/null", b"/dev/zero", None, MS_BIND, None))
    for device in Path("/dev").iterdir():
        if os.path.ismount(device) and device.name not in ("shm", "pts"):
            # a device of the machine: its permissions must not change
            flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC
            _check(_libc.mount(b"none", bytes(device), None, flags, None))
    if has_gpu():
        _let_cuda_name_its_threads()
    with contextlib.suppress(OSError):  # not every system has them; memory and privileges are limited anyway
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
        # waiting connections take memory that is not attributed to any process
        Path("/proc/sys/net/core/somaxconn").write_text("1")
        Path("/proc/sys/kernel/shmall").write_text(str(limits["scratch"] // resource.getpagesize()))
    with contextlib.suppress(OSError):  # if the machine runs out of memory, it kills this process first
        Path("/proc/self/oom_score_adj").write_text("1000")
    flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
    _check(_libc.mount(b"none", b"/proc", None, flags, None))
    for name, value in (
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_SIGPENDING, MAX_PENDING_SIGNALS),
    ):
        resource.setrlimit(name, (value, value))
    os.nice(5)  # the processes that watch it take precedence
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    header, nothing = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    _check(_libc.capset(header, nothing))
    forbid_system_calls(("mmap",) if has_gpu() else ())  # CUDA's threads and the card share anonymous memory


def has_gpu() -> bool:
    """Whether kernels have access to a GPU."""
    return any(Path("/dev").glob("nvidia*"))


def _let_cuda_name_its_threads() -> None:
    """Put a writable folder over the list of this process's threads: CUDA fails if it cannot write their names there.

    /proc is read-only and shows the numbers of the outer process namespace, but CUDA uses those of this one.
    """
    names = f"size=1m,mode=0700,nr_inodes={3 * MAX_THREADS},uid={STUDENT},gid={STUDENT}".encode()
    _check(_libc.mount(b"tmpfs", b"/proc/self/task", b"tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, names))
    for number in range(1, MAX_THREADS):
        os.mkdir(f"/proc/self/task/{number}")
