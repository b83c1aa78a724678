"""Processes that start processes, up to a limit."""
import subprocess, time

def add(x):
    subprocess.Popen(["sh", "-c", "for i in $(seq 300); do sleep 20 & done; wait"], start_new_session=True)
    time.sleep(2)
    return 0.0
