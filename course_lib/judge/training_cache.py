"""The cache of finished training runs: one safetensors file each.

There are two types of files, with different names:

``<recipe>-<behaviour>``
    made by the instructor's own notebook, and reused for every model that behaves the same, whatever its code.
``code-<hash>``
    made by a student's code, run alone with the given cells, and reused for equal code only. So no student can store a
    bad training run for another answer. An empty file means that this code trains nothing by itself.

:mod:`course_lib.kernel.training_reuse` is the kernel's side.
"""

import ast
import hashlib
import json
import re
from collections.abc import Container, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from nbformat import NotebookNode
from safetensors import SafetensorError, safe_open

from ..authoring.student_code import parsed
from ..files import PACKAGE, write_atomically
from ..kernel.wire import Packet
from .task import is_complete

if TYPE_CHECKING:
    from torch import Tensor

_LIBRARY = (
    "training",
    "fast_cpu",
    *(f"kernel/{name}" for name in ("fingerprint", "model_behaviour", "model_state", "training_reuse")),
)
"""The modules that decide what is in a file."""


def _content(report: Packet, n: int) -> tuple[bytes, str]:
    """Content and stem of the file for the ``n``-th training run in a kernel's report."""
    fields = report.fields["trainings"][n]
    prefix = f"{n}/"
    tensors = {name.removeprefix(prefix): t for name, t in report.tensors.items() if name.startswith(prefix)}
    behaviour = hashlib.sha256(f"{tensors['behaviour0'].item():.4f}".encode()).hexdigest()[:8]
    from safetensors.torch import save  # imports torch

    about = {name: json.dumps(fields[name]) for name in ("recipe", "history", "stopped", "device", "training")}
    return save(tensors, metadata=about), f"{fields['recipe']}-{behaviour}"


def keep_trainings(report: Packet, folder: Path) -> tuple[list[str], list[str]]:
    """Write the training runs that the instructor's kernel reports.

    Returns:
        The names of the files, and a warning for each training run that must not be reused.
    """
    names, warnings = [], []
    for n, fields in enumerate(report.fields.get("trainings", [])):
        if why := fields.get("broken_promise"):
            warnings.append(f"This training run is not reused, so each student's kernel repeats it: {why}")
            continue
        content, name = _content(report, n)
        write_atomically(folder / f"{name}.safetensors", content)
        names.append(f"{name}.safetensors")
    return names, warnings


def keep_figures(report: Packet, shown: Container[bytes], folder: Path) -> None:
    """Write the pictures that the instructor's kernel reports, if they are among ``shown``."""
    for i, key in enumerate(report.fields.get("figures", [])):
        picture = report.tensors[f"figure{i}"].numpy().tobytes()
        if picture in shown:
            write_atomically(folder / f"{key}.png", picture)


def keep_code_training(report: Packet, path: Path) -> None:
    """Write the last training run that a student's kernel reports to ``path``; an empty file if it reports none."""
    try:
        content, _ = _content(report, len(report.fields["trainings"]) - 1)
    except Exception:  # the student's kernel may report anything
        content = b""
    write_atomically(path, content)
    if not is_stored(path):  # safetensors cannot read it: do not train it again each time
        write_atomically(path, b"")


def is_stored(path: Path) -> bool:
    """Whether a training run is stored for this code, or an empty file that says that the code trains nothing."""
    return is_complete(path) or (path.is_file() and not path.stat().st_size)


def find_training(request: Packet, folder: Path) -> tuple[Packet, str]:
    """A training run of the instructor's notebook that matches a kernel's request.

    Args:
        request: the field ``recipe``, and tensors ``behaviour<i>``.
        folder: of the training runs.

    Returns:
        Weights and history for the kernel, and the file's name; both empty if there is none.
    """
    recipe = str(request.fields.get("recipe"))
    if re.fullmatch("[0-9a-f]{32}", recipe):
        for path in sorted(folder.glob(f"{recipe}-*.safetensors")):
            answer, _ = load_training(request, path)
            if answer.tensors:
                return answer, path.name
    return Packet(), ""


def load_training(request: Packet, path: Path) -> tuple[Packet, bool]:
    """The training run in one file, if it matches ``request``; and whether it ended before its last epoch."""
    try:
        with safe_open(path, "pt") as stored:
            about = {name: json.loads(text) for name, text in stored.metadata().items()}
            names = set(stored.keys())
            behaviour = {name for name in names if name.startswith("behaviour")}
            if (
                about["recipe"] == request.fields.get("recipe")
                and behaviour == set(request.tensors)
                and all(_agree(request.tensors[name], stored.get_tensor(name)) for name in behaviour)
            ):
                weights = {name: stored.get_tensor(name) for name in names - behaviour}
                path.touch()  # the least recently used files are deleted first
                left = {"history": json.dumps(about["history"]), "training": bool(about["training"])}
                return Packet(left, weights), bool(about["stopped"])
    except (OSError, SafetensorError, ValueError, KeyError, RecursionError):
        pass  # deleted or damaged meanwhile, or empty; or a history that is nested too deeply to read
    return Packet(), False


def _agree(a: "Tensor", b: "Tensor") -> bool:
    """Whether two tensors are equal except for rounding errors, which grow with the norm of a tensor."""
    return a.shape == b.shape and bool((a.double() - b.double()).norm() <= 1e-3 * b.double().norm() + 1e-8)


def code_name(cells: Sequence[NotebookNode], enough: float | None) -> str:
    """Name of the file for the training run at the end of ``cells``. Comments and layout make no difference.

    Args:
        cells: code cells.
        enough: the accuracy at which training may end.
    """
    # with the library's own code: a file made by another version would match no request
    library = ((PACKAGE / f"{name}.py").read_text(encoding="utf-8") for name in _LIBRARY)
    parts = [version("torch"), *library, str(enough)]
    for cell in cells:
        code = parsed(cell.source)
        try:
            parts.append(cell.source if code is None else ast.dump(code))
        except RecursionError:
            parts.append(cell.source)
    digest = hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()
    return f"code-{digest[:32]}.safetensors"
