"""MNIST without a download: the package contains the original files, compressed, and unpacks them once into a cache."""

import contextlib
import gzip
import hashlib
import tempfile
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from .files import cache_folder, write_atomically
from .grading_hooks import hooks
from .messages import say

if TYPE_CHECKING:
    from .torchvision_compat import datasets

__all__ = ["load_mnist", "unpack_mnist"]

PACKED = Path(__file__).parent / "mnist_files"
"""Folder of the compressed files."""

MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""MD5 of the four uncompressed files."""


def _unpack(name: str, target: Path) -> None:
    packed = PACKED / f"{name}.gz"
    try:
        content = gzip.decompress(packed.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise RuntimeError(say("mnist.broken_package", path=packed)) from error
    if _md5(content) != MD5[name]:
        raise RuntimeError(say("mnist.broken_package", path=packed))
    write_atomically(target, content)
    with contextlib.suppress(OSError):  # some file systems have no permissions
        target.chmod(0o644)  # every user of the machine can read it in a shared temporary folder


_intact: dict[Path, tuple[int, int]] = {}
"""Size and modification time of the files that were read and found intact."""


def _is_intact(path: Path, md5: str) -> bool:
    stat = path.stat()
    state = (stat.st_size, stat.st_mtime_ns)
    if _intact.get(path) != state and _md5(path.read_bytes()) == md5:
        _intact[path] = state
    return _intact.get(path) == state


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def unpack_mnist(root: str | Path) -> Path:
    """Put the four raw files where ``torchvision.datasets.MNIST(root)`` looks for them.

    Existing files stay as they are. A damaged one is replaced, and a warning names it.

    Args:
        root: the folder to pass to torchvision; created if it does not exist.

    Returns:
        ``root`` as a path.

    Raises:
        RuntimeError: if a compressed file of the package is damaged or missing; the message names it.
    """
    raw = Path(root) / "MNIST" / "raw"
    for name, md5 in MD5.items():
        target = raw / name
        if target.exists():
            if _is_intact(target, md5):
                continue
            warnings.warn(say("mnist.replaced", path=target), stacklevel=2)
        raw.mkdir(parents=True, exist_ok=True)
        _unpack(name, target)
    return Path(root)


def load_mnist(root: str | Path | None = None) -> "tuple[datasets.MNIST, datasets.MNIST]":
    """Load the training set and the test set of MNIST.

    Args:
        root: folder of the unpacked files. By default it is the cache folder or, if that is not writable, a folder for
            temporary files.

    Returns:
        Two :class:`torchvision.datasets.MNIST`. ``.data`` is uint8 of shape (60000, 28, 28) and (10000, 28, 28),
        values 0 to 255; ``.targets`` is int64 of shape (60000,) and (10000,).

    Source: MNIST by Y. LeCun and C. Cortes, CC BY-SA 3.0.
    """
    from .torchvision_compat import datasets  # slow to import, and unpack_mnist does not need it

    if root is None and hooks.loaded_datasets is not None:
        # only once: the caller may change the images, so a second call has to read the files
        loaded, hooks.loaded_datasets = hooks.loaded_datasets, None
        return loaded
    try:
        folder = unpack_mnist(cache_folder() if root is None else root)
    except OSError:
        if root is not None:
            raise
        folder = unpack_mnist(Path(tempfile.gettempdir(), "course_lib"))
    return datasets.MNIST(str(folder), train=True), datasets.MNIST(str(folder), train=False)
