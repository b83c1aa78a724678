"""Reference answers of the assignments, one module each. They never leave the instructor's machine."""
