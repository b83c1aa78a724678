"""Train the models of ``mnist1`` with many seeds, and set the accuracy thresholds.

    python -m tools.calibrate --seeds 24 --wrong 1

The trainings use the data and the training loop of the source notebook. They train its models, and the models from
``tests/answers`` that must miss the threshold. The results are in two files:

- ``grader_tests/mnist1/thresholds.json`` has, for each model, the threshold on the test images, the threshold on
  shifted test images (for models that the judge cannot copy), the accuracies of all trainings, and the false-fail rate;
- ``thresholds.svg`` beside it is a figure of the accuracies and thresholds.

Finished trainings are kept: run the program again with more seeds to refine the thresholds. It trains on a GPU if there
is one, and notes which one.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import torch
from scipy import stats
from torch import nn

import course_lib
from course_lib.reference.mnist1 import shifted
from tests.corpus import ACCURATE, ANSWERS

ROOT = Path(__file__).parents[1]
THRESHOLDS = ROOT / "grader_tests" / "mnist1" / "thresholds.json"
MODELS = ("DNN", "CNN", "CNN2")
CELLS = ("init", "data", "normalize", "fit", "dnn", "cnn", "cnn2")
KINDS = ("accuracy", "shifted")
FALSE_FAIL = 1e-4
"""The largest probability with which a right model may miss its threshold."""


def notebook_namespace() -> dict[str, Any]:
    """Run the cells of the source notebook that a training needs; return the global variables."""
    notebook = nbformat.read(ROOT / "source" / "mnist1" / "mnist1.ipynb", as_version=4)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for cell in notebook.cells:
        if cell.id in CELLS:
            exec(cell.source, namespace)
    return namespace


def next_misses(accuracies: list[float], value: float) -> float:
    """Return the probability that the next training has an accuracy below ``value``.

    The accuracies of a model are taken to be normally distributed over the seeds. Given n of them, the next one then
    follows Student's t distribution with n - 1 degrees of freedom, scaled by sqrt(1 + 1/n). So fewer seeds give a lower
    threshold.
    """
    n, mean, deviation = len(accuracies), float(np.mean(accuracies)), float(np.std(accuracies, ddof=1))
    return float(stats.t.cdf((value - mean) / (deviation * math.sqrt(1 + 1 / n)), n - 1))


def threshold(accuracies: list[float]) -> float:
    """Return the largest multiple of 0.001 that the next training misses with at most :data:`FALSE_FAIL`."""
    value = math.floor(max(accuracies) * 1000)
    while next_misses(accuracies, value / 1000) > FALSE_FAIL:
        value -= 1
    return value / 1000


def measure(namespace: dict[str, Any], model: type[nn.Module], seed: int) -> dict[str, float] | None:
    """Train a model; return its accuracies on the test images and the shifted ones, None if its training fails."""
    x_train, y_train, x_test, y_test = (namespace[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    torch.manual_seed(seed)
    np.random.seed(seed)
    try:
        trained = model()
        namespace["fit"](trained, x_train.clone(), y_train, x_test.clone(), y_test, EPOCHS=32, BATCH_SIZE=512)
        moved = shifted(x_test.cpu()).to(x_test.device)
        return {
            k: course_lib.evaluate(trained, x, y_test)[1] for k, x in zip(KINDS, (x_test.clone(), moved), strict=True)
        }
    except Exception as error:
        print(f"cannot be trained: {type(error).__name__}: {str(error)[:80]}")
        return None


def store(name: str, change: dict[str, Any]) -> None:
    """Add results to the entry of a model, and compute its thresholds again."""
    stored = json.loads(THRESHOLDS.read_text())
    entry = stored[name]
    for key, value in change.items():
        entry.setdefault(key, {}).update(value)
    runs = list(entry["runs"].values())
    if len(runs) >= 3:
        for kind in KINDS:
            reached = [run[kind] for run in runs]
            entry[kind] = threshold(reached)
            entry[f"{kind}_false_fail"] = float(f"{next_misses(reached, entry[kind]):.2g}")
    stored[name] = {key: entry[key] for key in sorted(entry)}
    THRESHOLDS.write_text(json.dumps(stored, indent=1) + "\n")


def calibrate(namespace: dict[str, Any], name: str, seeds: int, wrong: int) -> None:
    """Run the missing trainings of a model and of the wrong answers to its cell."""
    device = torch.cuda.get_device_name() if namespace["x_train"].is_cuda else "cpu"
    for seed in range(seeds):
        if str(seed) not in json.loads(THRESHOLDS.read_text())[name].get("runs", {}):
            run = measure(namespace, namespace[name], seed)
            assert run is not None
            print(name, seed, run, flush=True)
            store(name, {"runs": {str(seed): run | ({} if device == "cpu" else {"device": device})}})
    for answer in ANSWERS:
        if answer.cell != name.lower() or ACCURATE not in answer.fails:
            continue
        known = json.loads(THRESHOLDS.read_text())[name].get("wrong", {}).get(answer.name, {})
        for seed in range(len(known), wrong):
            try:
                local = dict(namespace)
                exec(answer.code, local)
                run = measure(namespace, local[name], seed)
            except SyntaxError:
                run = None
            print(answer, seed, run, flush=True)
            if run is None:
                break
            known[str(seed)] = run["accuracy"]
            store(name, {"wrong": {answer.name: known}})


def accuracies(entry: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Return the accuracies of all trainings: of the reference model, and of the wrong models."""
    right = [run["accuracy"] for run in entry["runs"].values()]
    wrong = [accuracy for runs in entry.get("wrong", {}).values() for accuracy in runs.values()]
    return right, wrong


def draw() -> None:
    """Write ``thresholds.svg``: the accuracies of right and wrong models, and the thresholds."""
    stored = json.loads(THRESHOLDS.read_text())
    matplotlib.use("agg")  # opens no window
    matplotlib.rcParams["svg.hashsalt"] = "thresholds"  # the same figure gives the same file
    figure, axes = plt.subplots(len(MODELS), 1, figsize=(8, 5), sharex=True, layout="constrained")
    for axis, name in zip(axes, MODELS, strict=True):
        entry = stored[name]
        right, wrong = accuracies(entry)
        for row, (values, mark) in enumerate(((wrong, "x"), (right, "o"))):
            shown = [max(value, 0.9) for value in values]
            axis.plot(shown, [row] * len(shown), mark, color="black", fillstyle="none", markersize=7)
        axis.axvline(entry["accuracy"], color="black", linestyle="--", linewidth=1)
        axis.set_yticks(range(2), ("wrong models", "reference"))
        axis.set_ylim(-0.6, 1.6)
        axis.set_title(f"{name}: threshold {entry['accuracy']}, {len(right)} seeds", loc="left", fontsize=10)
        axis.grid(axis="x", alpha=0.3)
    axes[-1].set_xlabel("accuracy on the 10,000 test images after 32 epochs; lower ones are drawn at 0.9")
    figure.savefig(THRESHOLDS.with_suffix(".svg"), metadata={"Date": None})
    plt.close(figure)


def table() -> str:
    """Return a text table of the thresholds with their error rates."""
    stored = json.loads(THRESHOLDS.read_text())
    lines = [
        f"{'model':6} {'threshold':>9} {'seeds':>5} {'mean':>7} {'deviation':>9} {'false fail':>10} {'false pass':>10}"
    ]
    for name in MODELS:
        entry = stored[name]
        right, wrong = accuracies(entry)
        passed = sum(a >= entry["accuracy"] for a in wrong)
        lines.append(
            f"{name:6} {entry['accuracy']:9} {len(right):5} {np.mean(right):7.4f} {np.std(right, ddof=1):9.4f} "
            f"{entry['accuracy_false_fail']:10.1e} {passed:4} of {len(wrong)}"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the missing trainings, write the thresholds and the figure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=24, help="trainings of each reference model")
    parser.add_argument("--wrong", type=int, default=1, help="trainings of each wrong model")
    parser.add_argument("--models", nargs="+", default=MODELS)
    arguments = parser.parse_args()
    namespace = notebook_namespace()
    for name in arguments.models:
        calibrate(namespace, name, arguments.seeds, arguments.wrong)
    draw()
    print(table())


if __name__ == "__main__":
    main()
