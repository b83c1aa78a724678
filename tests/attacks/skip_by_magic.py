%%script false --no-raise-error
"""A cell magic that turns the cell into a shell script, which fails silently."""
