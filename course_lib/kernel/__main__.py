"""Run a student's kernel in this process, without a sandbox: ``python -m course_lib.kernel -f connection.json``."""

from .app import kernel_app

if __name__ == "__main__":
    app = kernel_app()
    app.initialize()
    app.start()
