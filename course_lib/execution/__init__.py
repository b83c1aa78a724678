"""Grades many submissions: decides which ones, runs them on workers, and stores the results."""
