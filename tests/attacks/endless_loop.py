"""An endless loop that ignores interrupts."""

import signal

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)


def add(x):
    while True:
        pass
