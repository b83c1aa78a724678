"""Time limits for parsing untrusted input in the judge's own process."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn


class ParseTimeout(BaseException):
    """A :func:`parse_timeout` has expired.

    Not an ``Exception``, so that no ``except Exception`` in a parser catches it.
    """


@contextlib.contextmanager
def parse_timeout(seconds: float) -> Iterator[None]:
    """Raise :class:`ParseTimeout` in the block after ``seconds``.

    This works in the main thread only, because it uses a signal. In other threads, there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise ParseTimeout

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay a :func:`parse_timeout` until the end of the block.

    This is for libraries that swallow exceptions from callbacks, and would swallow the timeout too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    late: list[tuple[int, FrameType | None]] = []  # the arguments of the alarms that came during the block
    before = signal.signal(signal.SIGALRM, lambda number, frame: late.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)
        if late and callable(before):
            before(*late[0])
