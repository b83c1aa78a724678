"""Measures the CPU time of a kernel, so that a busy machine costs no points."""

import time
from pathlib import Path

import psutil


class TimeLimit:
    """Limits on the CPU time and the wall time of a process, counted from now on.

    Args:
        pid: the process. Its threads count; the processes that it starts do not.
        computing: limit on CPU time, in seconds.
        wall: limit on wall time, in seconds, not counting time spent waiting for a free core.
        deadline: limit on wall time, in seconds, waiting included: a process whose children take all cores would
            otherwise wait forever.
    """

    def __init__(self, pid: int, computing: float, wall: float, deadline: float) -> None:
        self._pid = pid
        self._max_computed = self._computed + computing
        now = time.monotonic()
        self._wall_end, self._deadline = now + wall, now + deadline
        self._starved_before: float | None = None  # read at the first check: most questions end before it

    @property
    def starved(self) -> float:
        """Seconds that the most delayed thread of the process has waited for a free core since the process started."""
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
        """Whether a limit is exceeded."""
        if self._starved_before is None:
            self._starved_before = self.starved
        now = time.monotonic()
        late = now - self._wall_end
        too_slow = late > 0 and late > self.starved - self._starved_before  # reading all threads is slow: only if late
        return too_slow or now > self._deadline or self._computed > self._max_computed
