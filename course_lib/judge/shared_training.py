"""Train a student's model once for all students who wrote the same code."""

import contextlib
import time
from collections import defaultdict
from copy import deepcopy

from filelock import FileLock
from nbformat.v4 import new_notebook

from ..kernel.wire import Packet
from ..results.errors import GraderError
from .notebook_runner import NotebookRunner
from .outcomes import NeedsTraining
from .task import Device, GradingTask
from .training_cache import find_training, is_stored, keep_code_training


def train(task: GradingTask, needed: NeedsTraining, seconds: defaultdict[str, float]) -> None:
    """Run the training that ``needed`` names in its own kernel, and store it, unless another worker has done so.

    Training that fails on a GPU is repeated on the CPU: other students' code may have taken the card's
    memory. Such a failure happens at once, and is not charged to the student.

    Args:
        task: the notebook that needs the training run.
        needed: what to run, and where to store it.
        seconds: the training time is added to it. Time spent waiting for another worker's training is not charged.
    """
    # a few lock files serve all training runs, so that their number stays small
    with FileLock(needed.path.with_name(f"{needed.path.stem[-2:]}.lock")):
        began = time.monotonic()
        if not is_stored(needed.path):
            report = Packet()
            if task.device != "cpu":
                with contextlib.suppress(GraderError):
                    report = train_alone(task, needed, task.device)
            if not report.fields.get("trainings"):
                if time.monotonic() - began < task.limits.training / 10:
                    began = time.monotonic()
                report = train_alone(task, needed, "cpu")
            keep_code_training(report, needed.path)
    seconds["training"] += time.monotonic() - began


def train_alone(task: GradingTask, needed: NeedsTraining, device: Device) -> Packet:
    """Run the cells of ``needed`` in their own kernel, and return its report of the training run."""
    enough = Packet({} if needed.enough is None else {"enough": needed.enough})

    def answer(request: Packet, running: int) -> Packet:
        found, _ = find_training(request, task.trainings)
        return found if found.tensors else enough

    notebook = new_notebook(cells=deepcopy(needed.cells))
    with NotebookRunner.for_task(task, notebook, answer, device) as runner:
        runner.run_until(len(notebook.cells))
        return runner.fetch_report("trainings")
