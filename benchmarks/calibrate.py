"""Train the reference models over many seeds and derive the accuracy thresholds of an assignment.

    python benchmarks/calibrate.py --seeds 20

Runs the cells of the source notebook (its data, its training loop, its answers) and writes
``grader_tests/mnist1/thresholds.json``: for each model the threshold on the test images, the one on shifted test images
(for models that the judge cannot copy), the accuracies they come from and the false-fail rate. Finished seeds are
kept: run it again with more seeds to refine.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import torch
from scipy import stats

import course_lib
from course_lib.reference.mnist1 import shifted

ROOT = Path(__file__).parents[1]
THRESHOLDS = ROOT / "grader_tests" / "mnist1" / "thresholds.json"
MODELS = ("DNN", "CNN", "CNN2")
CELLS = ("init", "data", "normalize", "fit", "dnn", "cnn", "cnn2")
FALSE_FAIL = 1e-4
"""Largest accepted probability that a right model misses its threshold."""


def notebook_namespace() -> dict[str, Any]:
    """The global variables after the cells of the source notebook that a training needs."""
    notebook = nbformat.read(ROOT / "source" / "mnist1" / "mnist1.ipynb", as_version=4)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for cell in notebook.cells:
        if cell.id in CELLS:
            exec(cell.source, namespace)
    return namespace


def threshold(accuracies: list[float]) -> tuple[float, float]:
    """The threshold, rounded down to 0.001, and the probability that one more training misses it.

    Accuracies of one model vary like a normal variable from seed to seed. The next one, given n of them, follows
    Student's t with n - 1 degrees of freedom, scaled by sqrt(1 + 1/n): few seeds make a lower threshold.
    """
    n, mean, deviation = len(accuracies), float(np.mean(accuracies)), float(np.std(accuracies, ddof=1))
    scale = deviation * math.sqrt(1 + 1 / n)
    value = math.floor((mean + stats.t.ppf(FALSE_FAIL, n - 1) * scale) * 1000) / 1000
    return value, float(stats.t.cdf((value - mean) / scale, n - 1))


def main() -> None:
    """Train what is missing, then write the thresholds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--models", nargs="+", default=MODELS)
    seeds = parser.parse_args().seeds
    models = parser.parse_args().models
    namespace = notebook_namespace()
    data = [namespace[name] for name in ("x_train", "y_train", "x_test", "y_test")]
    x_test, y_test = data[2:]
    moved = shifted(x_test.cpu()).to(x_test.device)
    for name in models:
        for seed in range(seeds):
            stored = json.loads(THRESHOLDS.read_text())
            runs = stored[name].setdefault("runs", {})
            if str(seed) in runs:
                continue
            torch.manual_seed(seed)
            np.random.seed(seed)
            model = namespace[name]()
            namespace["fit"](model, *data, EPOCHS=32, BATCH_SIZE=512)
            result = {
                "accuracy": course_lib.evaluate(model, x_test, y_test)[1],
                "shifted": course_lib.evaluate(model, moved, y_test)[1],
            }
            stored = json.loads(THRESHOLDS.read_text())
            runs = stored[name].setdefault("runs", {})
            runs[str(seed)] = result
            print(name, seed, result, flush=True)
            if len(runs) >= 3:
                for kind in ("accuracy", "shifted"):
                    value, rate = threshold([run[kind] for run in runs.values()])
                    stored[name] |= {kind: value, f"{kind}_false_fail": float(f"{rate:.2g}")}
            THRESHOLDS.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
