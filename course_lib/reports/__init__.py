"""Reports about a class: the class report and the table of marks."""
