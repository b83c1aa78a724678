"""Results kept under a hash of all that they depend on: nothing is graded twice, nothing outdated is taken for current.

    course store            # how much there is, in this course folder
    course store --empty    # forget all of it

A result is a file, written whole and then renamed. What was not used for longest goes when there is too much.
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import nbformat
from safetensors import SafetensorError, safe_open

from ..mnist import write_whole
from . import PACKAGE
from .job import Graded, Limits, NotebookSpec

__all__ = ["RESULTS", "ResultStore", "fingerprint", "is_whole", "shrink", "stamps_of_tests", "versions"]

RESULTS = ".results"
"""The store's folder, in nbgrader's folder of graded submissions."""

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


def fingerprint(spec: NotebookSpec, beside: Path, limits: Limits, here: Sequence[str], **settings: str) -> str:
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


class ResultStore:
    """The results in a folder.

    Args:
        folder: made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def get(self, key: str) -> Graded | None:
        """The result under ``key``; None when there is none, or none that can be read."""
        path = self._path(key)
        try:
            graded = Graded.from_json(path.read_text(), key)
            path.touch()  # used now
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            # none, or damaged, or that of another submission: it is graded again, and replaced
            return None
        return graded

    def put(self, key: str, graded: Graded) -> None:
        """Keep a result."""
        write_whole(self._path(key), graded.to_json(key).encode())


def is_whole(training: Path) -> bool:
    """Whether the file of a finished training is there, can be read, and was not cut off."""
    try:
        with safe_open(training, "np"):
            return True
    except (OSError, SafetensorError):
        return False


def shrink(folder: Path, size: int) -> None:
    """Remove the files of a store that were not used for longest, until ``size`` bytes are left."""
    files = []
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another command that shares the folder has removed it
            if path.is_file() and path.suffix != ".lock":
                files.append((path.stat(), path))
    excess = sum(stat.st_size for stat, _ in files) - size
    for stat, path in sorted(files, key=lambda entry: entry[0].st_mtime_ns):
        if excess <= 0:
            break
        excess -= stat.st_size
        path.unlink(missing_ok=True)


def main() -> None:
    """Say how much is stored, or forget it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--empty", action="store_true", help="forget all results; marks and feedback stay")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("autograded"), help="nbgrader's autograded folder")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        parser.error(f"{arguments.folder} is not there: run this in a course folder, or name its autograded folder")
    store = arguments.folder / RESULTS
    if not store.is_dir():
        parser.error(f"{arguments.folder} has no stored results: nothing was graded into it")
    if arguments.empty:
        shrink(store, 0)
    sizes = [path.stat().st_size for path in store.glob("*.json")]
    print(f"{store}: {len(sizes)} results, {sum(sizes) / 1e6:.1f} MB")
