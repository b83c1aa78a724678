"""Measure what a snapshot and a probe cost.

    python -m benchmarks.probes

A kernel that holds 200 MB of tensors and has done a backward pass is forked after a cell, and asked the same question
as a probe and as a plain call.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from nbformat.v4 import new_code_cell, new_notebook

from course_lib.authoring.notebook import StudentNotebook
from course_lib.judge.kernel_process import KernelSettings
from course_lib.judge.limits import Limits
from course_lib.judge.notebook_runner import NotebookRunner
from course_lib.judge.sandbox import write_kernel_library

REPEAT = 20

CELLS = (
    "import torch\nkept = [torch.rand(5 * 2**20) for _ in range(10)]\ndef f(x):\n    return x + 1",
    "net = torch.nn.Linear(500, 500)\nnet(torch.rand(64, 500)).square().mean().backward()",
)


def call_f(nb: Any, x: float) -> object:
    """What f gives."""
    return nb.f(x)


def milliseconds(action: Callable[[], object]) -> float:
    """The median time of an action."""
    times = []
    for _ in range(REPEAT):
        began = time.perf_counter()
        action()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    last = len(CELLS) - 1
    with tempfile.TemporaryDirectory() as folder:
        library = write_kernel_library(Path(folder))
        times = []
        for snapshots in [[], [last]] * 5:
            notebook = new_notebook(cells=[new_code_cell(cell) for cell in CELLS])
            with NotebookRunner(notebook, KernelSettings(library, Limits(threads=1)), snapshots=snapshots) as runner:
                runner.run_until(last)
                began = time.perf_counter()
                runner.run_until(last + 1)
                times.append((bool(snapshots), 1000 * (time.perf_counter() - began)))
                if snapshots:
                    plain = StudentNotebook(runner.ask)
                    probed = StudentNotebook(runner.ask, ask_alone=partial(runner.ask_snapshot, last, alone=True))
                    call = milliseconds(partial(plain.number, "f", 1.0))
                    probe = milliseconds(partial(probed.run, call_f, 1.0))
    without, taken = (statistics.median(t for has, t in times if has is wanted) for wanted in (False, True))
    print(f"snapshot: {taken - without:.0f} ms for each grade cell with probes")
    print(f"probe: {probe:.1f} ms, plain call: {call:.1f} ms")


if __name__ == "__main__":
    main()
