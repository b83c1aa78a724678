"""What is kept of a class: nbgrader's gradebook, and all that is known of an assignment."""
