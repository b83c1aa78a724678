"""The published course notebook runs with course_lib without any change, and its models learn."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from course_lib import unpack_mnist

DRIVER = """
    import sys
    import course_lib.torchvision_compat  # so that the notebook's own `import torchvision` works with a CPU-only torch
    from course_lib.device import seed

    seed(0)  # its first model, with a softmax over the batch, learns slowly from some initial weights
    source = open(sys.argv[1]).read()
    assert source.count("epochs      = 32") == 3
    source = source.replace("epochs      = 32", "epochs      = 1")
    exec(compile(source, "course notebook", "exec"), {"__name__": "__main__"})
"""


def keep_first(n: int, path: Path) -> None:
    """Shorten a file of MNIST to its first ``n`` images or labels."""
    content = path.read_bytes()
    header, item = (16, 28 * 28) if "images" in path.name else (8, 1)
    path.write_bytes(content[:4] + n.to_bytes(4, "big") + content[8 : header + n * item])


def test_the_published_cells_run_unchanged(root: Path, tmp_path: Path) -> None:
    """All cells in one file, with one epoch on a third of the images instead of 32 on all."""
    unpack_mnist(tmp_path / "data")
    for path in (tmp_path / "data").rglob("*-ubyte"):
        keep_first(20_000 if path.name.startswith("train") else 5_000, path)
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DRIVER), str(root / "tests" / "data" / "course_notebook.py")],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    accuracies = [float(line.split(":")[1]) for line in run.stdout.splitlines() if line.startswith("Test accuracy")]
    assert len(accuracies) == 3
    assert min(accuracies) > 0.4, "a model that learns nothing has an accuracy of 0.1"
