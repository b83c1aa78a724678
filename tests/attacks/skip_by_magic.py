%%script false --no-raise-error
"""The cell is a shell script that fails quietly."""
