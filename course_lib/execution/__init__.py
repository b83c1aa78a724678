"""Grades many submissions: which ones, where, and what is kept of the results."""
