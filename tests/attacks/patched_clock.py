"""Time stands still, so that no deadline ever passes; then an endless loop."""

import time

time.time = time.monotonic = time.perf_counter = lambda: 0.0
import asyncio

asyncio.BaseEventLoop.time = lambda self: 0.0


def add(x):
    while True:
        pass
