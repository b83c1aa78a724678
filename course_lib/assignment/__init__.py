"""Reads an assignment and releases it to students."""
