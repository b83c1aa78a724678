"""The judge: rebuilds a submission, runs it in a student's kernel, asks the kernel, decides, records.

It stays on the instructor's machine. Data flows one way::

    assignment -> rebuild -> session (kernel) <- student <- hidden tests -> result -> feedback, gradebook
"""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
"""The folder of course_lib."""
