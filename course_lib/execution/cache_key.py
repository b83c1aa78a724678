"""What a result depends on."""

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import nbformat

from ..assignment.spec import NotebookSpec
from ..files import PACKAGE
from ..judge.task import Limits

__all__ = ["cache_key", "stamps_of_tests", "versions"]

PACKAGES = ("torch", "torchvision", "numpy", "matplotlib", "ipykernel", "ipython", "nbclient", "nbformat", "nbgrader",
            "nh3", "pytest", "safetensors")  # fmt: skip
"""Whose versions a result depends on."""


def _files(folder: Path) -> Iterable[Path]:
    """The files below a folder, behind links too, in order; not what Python, Jupyter or a desktop leaves there."""
    for path in sorted(Path(place, name) for place, _, names in os.walk(folder, followlinks=True) for name in names):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in parts):
            yield path


def _tests(spec: NotebookSpec) -> dict[str, Path]:
    """The files of the hidden tests by name, data among them, and the modules beside their folder, to be imported."""
    return {
        path.relative_to(folder.parent).as_posix(): path
        for folder in sorted({path.parent for path in spec.tests.values()})
        for path in [*_files(folder), *sorted(folder.parent.glob("*.py"))]
    }


def stamps_of_tests(specs: Iterable[NotebookSpec]) -> dict[Path, int]:
    """The files of the hidden tests, with when each was changed: workers read them each time."""
    return {path: path.stat().st_mtime_ns for spec in specs for path in _tests(spec).values()}


def _digest_files(digest: "hashlib._Hash", files: dict[str, Path]) -> None:
    for name, path in files.items():
        digest.update(f"\n{name} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())


def versions() -> list[str]:
    """What grades here: Python, :data:`PACKAGES`, and all of course_lib by a hash."""
    course_lib = hashlib.sha256()
    _digest_files(course_lib, {str(path.relative_to(PACKAGE)): path for path in _files(PACKAGE)})
    packages = [f"{name} {version(name)}" for name in PACKAGES]
    return [f"Python {platform.python_version()}", *packages, f"course_lib {course_lib.hexdigest()[:32]}"]


def cache_key(spec: NotebookSpec, beside: Path, limits: Limits, here: Sequence[str], **settings: str) -> str:
    """Hash of what the result of any submission of a notebook depends on, apart from the submission.

    These are the source notebook, what students get of it, its hidden tests and the files beside it, the limits, and
    the versions of what grades. The number of threads is none of it: marks must not depend on it.

    Args:
        spec: the notebook.
        beside: the folder of the source notebook.
        limits: what a submission may use.
        here: the :func:`versions` of what grades.
        **settings: whatever else changes a result: language, protection, device, whether models are trained once, which
            files are not shown.
    """
    parts = [*here, json.dumps(asdict(replace(limits, threads=0))), json.dumps(settings, sort_keys=True)]
    digest = hashlib.sha256("\n".join(parts).encode())
    files = _tests(spec)
    files |= {f"{beside.name}//{path.relative_to(beside)}": path for path in _files(beside) if path.suffix != ".ipynb"}
    _digest_files(digest, files)
    for notebook in (spec.source, spec.skeleton):
        digest.update(nbformat.writes(notebook).encode())
    return digest.hexdigest()
