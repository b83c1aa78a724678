"""The files that a student hands in with the notebook."""

from collections.abc import Mapping
from pathlib import Path


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, replacing files of the same name.

    Args:
        folder: the folder, which exists.
        files: content by path.
    """
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # a copy of a read-only file cannot be opened for writing
        path.write_bytes(content)
