"""Grades one submission: rebuild it, run it in a student's kernel, ask the hidden tests' questions, decide."""
