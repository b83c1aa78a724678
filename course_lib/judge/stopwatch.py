"""Measures how long a kernel computes, so that a busy machine costs no student a point."""

import time
from pathlib import Path

import psutil


class Stopwatch:
    """Measures how long a process computes from now on.

    Args:
        pid: the process. Its threads count, the processes that it starts do not.
        computing: seconds of computing that it may take.
        passing: seconds that may pass, not counting those in which it was ready and no core was free.
        left: seconds that may pass in any case: the processes that it starts may take all cores.
    """

    def __init__(self, pid: int, computing: float, passing: float, left: float) -> None:
        self._pid = pid
        self._most = self._computed + computing
        now = time.monotonic()
        self._deadline, self._end = now + passing, now + left
        self._starved_before: float | None = None  # read at the first look: most questions end before it

    @property
    def starved(self) -> float:
        """Seconds since the start of the process in which its most delayed thread waited for a free core."""
        tasks = Path(f"/proc/{self._pid}/task")
        try:
            return max(int(path.read_text().split()[1]) for path in tasks.glob("*/schedstat")) / 1e9
        except (OSError, ValueError, IndexError):  # the process has ended, or this Linux does not count them
            return 0.0

    @property
    def _computed(self) -> float:
        try:
            times = psutil.Process(self._pid).cpu_times()
        except psutil.Error:  # it has ended
            return 0.0
        return float(times.user + times.system)

    @property
    def is_over(self) -> bool:
        """Whether one of the times is over."""
        if self._starved_before is None:
            self._starved_before = self.starved
        now = time.monotonic()
        late = now - self._deadline
        waited = late > 0 and late > self.starved - self._starved_before  # reading all threads is slow: only if late
        return waited or now > self._end or self._computed > self._most
