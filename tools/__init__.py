"""Programs that maintain the kit. Run one from the project's folder: `python -m tools.mutants`."""
