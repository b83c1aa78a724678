"""The records of a class: nbgrader's gradebook, and a class in one assignment as plain data."""
