"""A thousand threads."""

import threading
import time


def add(x):
    for _ in range(1000):
        threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
    time.sleep(1)
    return 0.0
