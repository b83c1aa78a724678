"""Compare the notebook's training loop with the original course's: seconds for an epoch, and accuracy.

    python -m benchmarks.training                             # on the CPU, all cores
    COURSE_LIB_DEVICE=cuda python -m benchmarks.training

The original loop kept the images in float64, converted each batch, and evaluated on all images at once, with gradients.
Both loops take the same steps from the same weights, so their accuracies differ only by rounding. They run in turn
several times, and the fastest run of each counts.
"""

import argparse
import contextlib
import io
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch
from torch import nn

import course_lib
from tools.calibrate import notebook_namespace

MODELS = ("DNN", "CNN", "CNN2")
BATCH_SIZE = 512

Data = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
"""Training images and labels, test images and labels."""


def measured(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Return loss and accuracy, computed like the original loop."""
    logits = model(x.float())
    return nn.functional.cross_entropy(logits, y).item(), (logits.argmax(1) == y).float().mean().item()


def original_fit(model: nn.Module, data: Data, epochs: int, batch_size: int) -> None:
    """Train with the original loop; like there, a last, incomplete batch is left out."""
    x_train, y_train, x_test, y_test = data
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    n = len(x_train)

    def update() -> None:
        rows = np.random.RandomState(0).permutation(n)[: len(x_test)]
        measured(model, x_train[rows], y_train[rows])
        measured(model, x_test, y_test)

    update()
    for _ in range(epochs):
        order = np.arange(n)
        np.random.shuffle(order)
        for start in range(0, n - batch_size + 1, batch_size):
            rows = order[start : start + batch_size]
            x, y = x_train[rows].float(), y_train[rows]
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        update()


def timed(name: str, loop: str, epochs: int) -> tuple[float, float]:
    """Train the model ``name``; return the seconds for an epoch and the accuracy."""
    with contextlib.redirect_stdout(io.StringIO()):  # hides what the cells print
        namespace = notebook_namespace()
    data: Data = tuple(namespace[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    torch.manual_seed(0)
    np.random.seed(1)
    model = namespace[name]().to(data[0].device)
    torch.optim.Adam(model.parameters())  # the first optimizer of a process imports a part of torch
    for_original: Data = (data[0].double(), data[1], data[2].double(), data[3])
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):  # hides the progress bar
        if loop == "original":
            original_fit(model, for_original, epochs, BATCH_SIZE)
        else:
            namespace["fit"](model, *data, EPOCHS=epochs, BATCH_SIZE=BATCH_SIZE)
    if data[0].is_cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    return seconds / epochs, course_lib.evaluate(model, data[2], data[3])[1]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    device = course_lib.choose_device()
    print(f"{os.cpu_count()} cores, device {device}, {arguments.epochs} epochs, batches of {BATCH_SIZE}")
    print(f"{'model':6} {'original, s/epoch':>18} {'now, s/epoch':>13} {'ratio':>6}   accuracy then and now")
    # each training runs in a new process: memory that another one used would change its time
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for name in MODELS:
            taken: dict[str, list[tuple[float, float]]] = {"original": [], "now": []}
            for _ in range(arguments.repeat):
                for loop, results in taken.items():
                    results.append(processes.submit(timed, name, loop, arguments.epochs).result())
            (first, then), (now, today) = (min(results) for results in taken.values())
            print(f"{name:6} {first:18.2f} {now:13.2f} {first / now:6.2f}   {then:.4f} {today:.4f}", flush=True)


if __name__ == "__main__":
    main()
