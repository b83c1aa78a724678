"""What people read about a class: the report and the table of marks."""
