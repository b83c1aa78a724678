"""The published course notebook runs against course_lib as it is, and gives the same training."""

import os
import subprocess
import sys
from pathlib import Path

from course_lib import unpack_mnist

DRIVER = """
import sys
import course_lib.vision  # what the notebook's own `import torchvision` needs beside a CPU-only torch
source = open(sys.argv[1]).read()
assert source.count("epochs      = 32") == 3
exec(compile(source.replace("epochs      = 32", "epochs      = 1"), "course notebook", "exec"), {"__name__": "__main__"})
"""


def test_the_published_code_cells_run_unchanged(root: Path, tmp_path: Path) -> None:
    """All cells pasted together, one epoch instead of 32."""
    unpack_mnist(tmp_path / "data")
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
    assert accuracies[0] > 0.7
    assert min(accuracies[1:]) > 0.8
