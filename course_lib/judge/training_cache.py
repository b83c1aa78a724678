"""The cache of finished trainings: one safetensors file each.

Two kinds, told apart by their names:

``<recipe>-<probe>``
    made by the instructor's own notebook; for every model that behaves the same, whatever its code.
``code-<hash>``
    made by a student's code, run alone with the given cells: for equal code only, whoever wrote it. So nobody can leave
    a bad training for somebody else's answer. An empty file says that this code trains nothing by itself.
"""

import ast
import contextlib
import fcntl
import hashlib
import inspect
import json
import re
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

import torch
from nbformat import NotebookNode
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from .. import training
from ..assignment.cells import parsed
from ..files import write_whole
from ..kernel import fingerprint, training_reuse
from ..kernel.wire import Packet
from .task import is_whole

__all__ = [
    "code_name",
    "is_kept",
    "keep_code_training",
    "keep_figures",
    "keep_trainings",
    "locked",
    "recall",
    "recall_code",
]

Request = Packet
"""What a kernel sends before it trains: the field ``recipe``, and tensors ``probe<i>``."""


def _content(report: Packet, n: int) -> tuple[bytes, str]:
    """File and name, without its ending, of the ``n``-th training in a kernel's report."""
    fields = report.fields["trainings"][n]
    prefix = f"{n}/"
    tensors = {name.removeprefix(prefix): t for name, t in report.tensors.items() if name.startswith(prefix)}
    behaviour = hashlib.sha256(f"{tensors['probe0'].item():.4f}".encode()).hexdigest()[:8]
    about = {name: json.dumps(fields[name]) for name in ("recipe", "history", "stopped", "device", "training")}
    return save(tensors, metadata=about), f"{fields['recipe']}-{behaviour}"


def keep_trainings(report: Packet, folder: Path) -> list[str]:
    """Write the trainings that the instructor's kernel reports; the names of the files."""
    names = []
    for n in range(len(report.fields.get("trainings", []))):
        content, name = _content(report, n)
        write_whole(folder / f"{name}.safetensors", content)
        names.append(f"{name}.safetensors")
    return names


def keep_figures(report: Packet, shown: Container[bytes], folder: Path) -> None:
    """Write those pictures that the instructor's kernel reports and that are among ``shown``."""
    for i, key in enumerate(report.fields.get("figures", [])):
        picture = report.tensors[f"figure{i}"].numpy().tobytes()
        if picture in shown:
            write_whole(folder / f"{key}.png", picture)


def keep_code_training(report: Packet, path: Path) -> None:
    """Write the last training that a student's kernel reports to ``path``, or that there is none."""
    try:
        content, _ = _content(report, len(report.fields["trainings"]) - 1)
    except Exception:  # whatever the student's kernel made of it
        content = b""
    write_whole(path, content)


def is_kept(path: Path) -> bool:
    """Whether the training of a student's code need not be done: it is there, or the code trains nothing."""
    return is_whole(path) or (path.is_file() and not path.stat().st_size)


def recall(request: Request, folder: Path) -> tuple[Packet, str]:
    """A training by the instructor's notebook that fits: its weights and history for the kernel, and its name.

    Both are empty when there is none.
    """
    recipe = str(request.fields.get("recipe"))
    if re.fullmatch("[0-9a-f]{32}", recipe):
        for path in sorted(folder.glob(f"{recipe}-*.safetensors")):
            answer, _ = recall_code(request, path)
            if answer.tensors:
                return answer, path.name
    return Packet(), ""


def recall_code(request: Request, path: Path) -> tuple[Packet, bool]:
    """The same for one file; and whether that training ended before its last epoch."""
    try:
        with safe_open(path, "pt") as stored:
            about = {name: json.loads(text) for name, text in stored.metadata().items()}
            names = set(stored.keys())
            probes = {name for name in names if name.startswith("probe")}
            if (
                about["recipe"] == request.fields.get("recipe")
                and probes == set(request.tensors)
                and all(_same(request.tensors[name], stored.get_tensor(name)) for name in probes)
            ):
                weights = {name: stored.get_tensor(name) for name in names - probes}
                path.touch()  # used now
                left = {"history": json.dumps(about["history"]), "training": bool(about["training"])}
                return Packet(left, weights), bool(about["stopped"])
    except (OSError, SafetensorError, ValueError, KeyError, RecursionError):
        pass  # removed or damaged meanwhile, or empty; or a history as deep as Python can read just now
    return Packet(), False


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and bool((a.double() - b.double()).norm() <= 1e-3 * b.double().norm() + 1e-8)


def code_name(cells: Sequence[NotebookNode], enough: float | None) -> str:
    """Name of the file for the training at the end of ``cells``; comments and layout make no difference.

    Args:
        cells: code cells.
        enough: the accuracy at which the training may end.
    """
    # a file that does not answer today's recipe and probe would be in the way of others
    parts = [torch.__version__, *map(inspect.getsource, (training, fingerprint, training_reuse)), str(enough)]
    for cell in cells:
        code = parsed(cell.source)
        try:
            parts.append(cell.source if code is None else ast.dump(code))
        except RecursionError:
            parts.append(cell.source)
    digest = hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()
    return f"code-{digest[:32]}.safetensors"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time work on ``path``; the lock ends with its process.

    Some files share a lock, so that there are never many of them.
    """
    with path.with_name(f"{path.stem[-2:]}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
