"""One small message that replaces three hundred outputs with a large one."""

from IPython.display import display, update_display

for i in range(300):
    display({"text/plain": "."}, raw=True, display_id="d")
update_display({"text/plain": "A" * 600_000}, raw=True, display_id="d")


def add(x):
    return 0.0
