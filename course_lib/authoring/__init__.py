"""What authors of hidden tests use: marks, comparisons, and a student's notebook to ask."""
