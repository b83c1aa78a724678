"""Everything that a result depends on, as one hash: the key of the result cache.

Reports, exports and commands do not affect it, because they only show marks.
"""

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
from ..judge.limits import Limits

PACKAGES = ("torch", "torchvision", "numpy", "matplotlib", "ipykernel", "ipython", "nbclient", "nbformat", "nbgrader",
            "nh3", "pytest", "safetensors", "xxhash")  # fmt: skip
"""The packages whose versions a result depends on."""


MARK_DECIDING_FOLDERS = ("mnist_files", "kernel", "reference", "results", "authoring", "assignment", "judge")
"""The folders of course_lib that decide marks, besides the student half."""


def _files(folder: Path) -> Iterable[Path]:
    """The files below a folder, in order. Follows links, and skips hidden files and Python's caches."""
    for path in sorted(Path(root, name) for root, _, names in os.walk(folder, followlinks=True) for name in names):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in parts):
            yield path


def _tests(spec: NotebookSpec) -> dict[str, Path]:
    """The files of the hidden tests by name, including their data, and the modules next to their folder."""
    return {
        path.relative_to(folder.parent).as_posix(): path
        for folder in sorted({path.parent for path in spec.tests.values()})
        for path in [*_files(folder), *sorted(folder.parent.glob("*.py"))]
    }


def times_of_tests(specs: Iterable[NotebookSpec]) -> dict[Path, int]:
    """The files of the hidden tests, each with the time of its last change in ns."""
    return {path: path.stat().st_mtime_ns for spec in specs for path in _tests(spec).values()}


def _digest_files(digest: "hashlib._Hash", files: dict[str, Path]) -> None:
    for name, path in files.items():
        digest.update(f"\n{name} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())


def versions(all_code: bool = False) -> list[str]:
    """The versions that grade here: of Python, of :data:`PACKAGES`, and a hash of the code that decides marks.

    Args:
        all_code: hash all of course_lib, for a worker of a cluster, which must be able to talk to this command.
    """
    digest = hashlib.sha256()
    files = {path.relative_to(PACKAGE).as_posix(): path for path in _files(PACKAGE)}
    _digest_files(digest, {name: path for name, path in files.items() if all_code or decides_marks(name)})
    packages = [f"{name} {version(name)}" for name in PACKAGES]
    return [f"Python {platform.python_version()}", *packages, f"course_lib {digest.hexdigest()[:32]}"]


def decides_marks(name: str) -> bool:
    """Whether a file of course_lib decides marks: one of the student half, or of :data:`MARK_DECIDING_FOLDERS`."""
    folder, _, rest = name.partition("/")
    return not rest or folder in MARK_DECIDING_FOLDERS


def assignment_digest(
    spec: NotebookSpec, source: Path, limits: Limits, installed: Sequence[str], **settings: str
) -> str:
    """Hash of everything that a result depends on, apart from the submission, whose content completes the key.

    That is the source notebook, the released one, the hidden tests, the files next to the source, the limits and the
    versions. The number of threads is not included, because marks must not depend on it.

    Args:
        spec: the notebook.
        source: the folder of the source notebook.
        limits: what a submission may use.
        installed: what :func:`versions` returned.
        **settings: every other setting that changes a result, by name: see
            :func:`course_lib.execution.open_run.prepare_tasks`.
    """
    parts = [*installed, json.dumps(asdict(replace(limits, threads=0))), json.dumps(settings, sort_keys=True)]
    digest = hashlib.sha256("\n".join(parts).encode())
    files = _tests(spec)
    files |= {f"{source.name}//{path.relative_to(source)}": path for path in _files(source) if path.suffix != ".ipynb"}
    _digest_files(digest, files)
    for notebook in (spec.source, spec.skeleton):
        digest.update(nbformat.writes(notebook).encode())
    return digest.hexdigest()
