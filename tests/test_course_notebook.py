"""The published course notebook runs against course_lib as it is, and gives the same training."""

import os
import subprocess
import sys
from pathlib import Path

from course_lib import unpack_mnist

DRIVER = """
import sys
import course_lib.torchvision_compat  # what the notebook's own `import torchvision` needs beside a CPU-only torch
from course_lib.device import seed
seed(0)  # its first model, with a softmax over the batch, begins slowly with some weights
source = open(sys.argv[1]).read()
assert source.count("epochs      = 32") == 3
exec(compile(source.replace("epochs      = 32", "epochs      = 1"), "course notebook", "exec"), {"__name__": "__main__"})
"""


def keep_first(n: int, path: Path) -> None:
    """Leave the first ``n`` images or labels in a file of MNIST's."""
    content = path.read_bytes()
    head, item = (16, 28 * 28) if "images" in path.name else (8, 1)
    path.write_bytes(content[:4] + n.to_bytes(4, "big") + content[8 : head + n * item])


def test_the_published_code_cells_run_unchanged(root: Path, tmp_path: Path) -> None:
    """All cells pasted together, one epoch of a third of the images instead of 32 of all."""
    unpack_mnist(tmp_path / "data")
    for path in (tmp_path / "data").rglob("*-ubyte"):
        keep_first(20_000 if path.name.startswith("train") else 5_000, path)
    run = subprocess.run(
        [sys.executable, "-c", DRIVER, str(root / "tests" / "data" / "course_notebook.py")],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    accuracies = [float(line.split(":")[1]) for line in run.stdout.splitlines() if line.startswith("Test accuracy")]
    assert len(accuracies) == 3
    assert min(accuracies) > 0.4, "a model that learns nothing has 0.1"
