"""Processes in new sessions that try to outlive the kernel."""

import subprocess

for _ in range(3):
    subprocess.Popen(["sleep", "7171"], start_new_session=True)


def add(x):
    return 0.0
