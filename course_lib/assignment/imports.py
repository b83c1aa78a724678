"""The packages that the notebooks of an assignment import."""

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from nbformat import NotebookNode

from ..authoring.student_code import parsed

_PIP_NAMES = {
    "PIL": "pillow", "bs4": "beautifulsoup4", "cv2": "opencv-python", "dateutil": "python-dateutil",
    "skimage": "scikit-image", "sklearn": "scikit-learn", "yaml": "pyyaml",
}  # fmt: skip
"""What pip calls a module whose package has another name."""


def imported_modules(notebooks: Iterable[NotebookNode], beside: Path) -> list[str]:
    """The modules that the code of notebooks imports, such as ``matplotlib.pyplot``, in order, each once.

    Args:
        notebooks: the instructor's.
        beside: the folder of the notebooks; the modules in it are left out.
    """
    found = dict.fromkeys(
        name
        for notebook in notebooks
        for cell in notebook.cells
        if cell.cell_type == "code"
        for name in _imports(parsed(cell.source))
    )
    return [name for name in found if not _is_beside(name.partition(".")[0], beside)]


def _imports(code: ast.Module | None) -> Iterator[str]:
    for node in ast.walk(code) if code is not None else ():
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module


def _is_beside(name: str, folder: Path) -> bool:
    return (folder / f"{name}.py").exists() or (folder / name).is_dir()


def missing_packages(modules: Iterable[str]) -> list[str]:
    """The pip packages of those ``modules`` that are not installed in this environment."""
    names = dict.fromkeys(name.partition(".")[0] for name in modules)
    return [_PIP_NAMES.get(name, name) for name in names if not _is_installed(name)]


def install_command(modules: Iterable[str]) -> str:
    """The command that installs the missing packages of these ``modules``; empty if none is missing."""
    missing = missing_packages(modules)
    return f"{sys.executable} -m pip install {' '.join(missing)}" if missing else ""


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # a module that is being imported, or that stands in for one
        return False
