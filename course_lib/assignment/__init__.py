"""Reads an assignment and makes the release for students."""
