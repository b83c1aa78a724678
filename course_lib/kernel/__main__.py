"""Start one student's kernel in this process, without a sandbox: ``python -m course_lib.kernel -f connection.json``."""

from .app import forget_other_course_libs, kernel_app

if __name__ == "__main__":
    forget_other_course_libs()
    app = kernel_app()
    app.initialize()
    app.start()
