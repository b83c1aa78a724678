"""Run a student's kernel in this process, without a sandbox: ``python -m course_lib.kernel -f connection.json``."""

import contextlib
import importlib

from .preload import modules

if __name__ == "__main__":
    for name in modules():
        if name.startswith("course_lib."):  # the kernel asks what is imported
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    from .app import kernel_app

    app = kernel_app()
    app.initialize()
    app.start()
