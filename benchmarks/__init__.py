"""Measurements of the kit. Run one from the project's folder: `python -m benchmarks.grading`."""
