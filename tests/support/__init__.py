"""What several test files share: courses, submissions, a browser."""
