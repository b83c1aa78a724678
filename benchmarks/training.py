"""The training loop of the notebook beside the one that the course began with: seconds for an epoch, accuracy reached.

    python benchmarks/training.py                      # on the CPU, all cores
    COURSE_LIB_DEVICE=cuda python benchmarks/training.py

The first loop kept the images in float64, converted each batch, and measured loss and accuracy on all images at once,
with gradients. Both loops take the same steps from the same weights: their accuracies differ by rounding only. Each is
timed several times in turn, the fastest counts.
"""

import argparse
import contextlib
import io
import os
import time
from typing import Any

import numpy as np
import torch
from calibrate import notebook_namespace
from torch import nn

import course_lib

MODELS = ("DNN", "CNN", "CNN2")

Data = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
"""Images and labels for training, images and labels for testing."""


def measured(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Loss and accuracy, as the first loop's history had them."""
    logits = model(x.float())
    return nn.functional.cross_entropy(logits, y).item(), (logits.argmax(1) == y).float().mean().item()


def first_fit(model: nn.Module, data: Data, epochs: int, batch_size: int) -> None:
    """The loop that the course began with; a last, incomplete batch is left out, here as there."""
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


def timed(train: Any, model: nn.Module) -> float:
    """Seconds."""
    torch.manual_seed(1)
    np.random.seed(1)
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):  # without the progress bar
        train(model)
    if next(model.parameters()).is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    namespace = notebook_namespace()
    data: Data = tuple(namespace[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    as_first: Data = (data[0].double(), data[1], data[2].double(), data[3])
    size = {"EPOCHS": arguments.epochs, "BATCH_SIZE": 512}
    print(f"{os.cpu_count()} cores, device {data[0].device}, {arguments.epochs} epochs, batches of 512")
    print(f"{'model':6} {'first, s/epoch':>15} {'now, s/epoch':>13} {'ratio':>6}   accuracy then and now")
    for name in MODELS:
        seconds: dict[str, list[float]] = {"first": [], "now": []}
        accuracy: dict[str, float] = {}
        for _ in range(arguments.repeat):
            for loop in seconds:
                torch.manual_seed(0)
                model = namespace[name]().to(data[0].device)
                if loop == "first":
                    taken = timed(lambda m: first_fit(m, as_first, arguments.epochs, size["BATCH_SIZE"]), model)
                else:
                    taken = timed(lambda m: namespace["fit"](m, *data, **size), model)
                seconds[loop].append(taken / arguments.epochs)
                accuracy[loop] = course_lib.evaluate(model, data[2], data[3])[1]
        first, now = min(seconds["first"]), min(seconds["now"])
        print(f"{name:6} {first:15.2f} {now:13.2f} {first / now:6.2f}   {accuracy['first']:.4f} {accuracy['now']:.4f}")


if __name__ == "__main__":
    main()
