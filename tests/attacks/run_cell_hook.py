"""Replaces `run_cell` with a function that runs nothing."""

shell = get_ipython()
original = shell.run_cell
shell.run_cell_async = None
shell.run_code = lambda *a, **k: None
shell.events.register("pre_run_cell", lambda *a: None)


def add(x):
    return 0.0
