"""MNIST without a network: the canonical files travel compressed in the package and are unpacked once to a cache."""

import contextlib
import gzip
import hashlib
import tempfile
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from .files import cache_folder, write_whole
from .messages import say

if TYPE_CHECKING:
    from .torchvision_compat import datasets

__all__ = ["load_mnist", "unpack_mnist"]

PACKED = Path(__file__).parent / "mnist_files"

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
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != MD5[name]:
        raise RuntimeError(say("mnist.broken_package", path=packed))
    write_whole(target, content)
    with contextlib.suppress(OSError):  # not everywhere; the folder for temporary files is shared by a machine's users
        target.chmod(0o644)


_whole: dict[Path, tuple[int, int]] = {}
"""Size and time of change of files that were read once and found whole."""


def _is_whole(path: Path, md5: str) -> bool:
    stat = path.stat()
    known = (stat.st_size, stat.st_mtime_ns)
    if _whole.get(path) != known and hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == md5:
        _whole[path] = known
    return _whole.get(path) == known


def unpack_mnist(root: str | Path) -> Path:
    """Put the four raw files where ``torchvision.datasets.MNIST(root)`` looks for them.

    Files that are there and whole are left alone; a damaged one is replaced, with a warning that names it.

    Args:
        root: the folder to pass to torchvision; made when missing.

    Returns:
        ``root`` as a path.

    Raises:
        RuntimeError: if the packed file in the package itself is damaged; the message names it.
    """
    raw = Path(root) / "MNIST" / "raw"
    for name, md5 in MD5.items():
        target = raw / name
        if target.exists():
            if _is_whole(target, md5):
                continue
            warnings.warn(say("mnist.replaced", path=target), stacklevel=2)
        raw.mkdir(parents=True, exist_ok=True)
        _unpack(name, target)
    return Path(root)


waiting: "list[tuple[datasets.MNIST, datasets.MNIST]]" = []
"""Set by the process that kernels are forked from: the data sets, read already, for the first who loads them."""


def load_mnist(root: str | Path | None = None) -> "tuple[datasets.MNIST, datasets.MNIST]":
    """The training set and the test set, as torchvision serves them.

    Args:
        root: folder of the unpacked files; by default the cache folder or, where it cannot be written, one for
            temporary files.

    Returns:
        Two :class:`torchvision.datasets.MNIST`. ``.data`` is uint8 of shape (60000, 28, 28) and (10000, 28, 28),
        values 0 to 255; ``.targets`` is int64 of shape (60000,) and (10000,).

    Source: MNIST by Y. LeCun and C. Cortes, CC BY-SA 3.0.
    """
    from .torchvision_compat import datasets  # slow to import, and not needed to unpack the files

    if waiting and root is None:
        return waiting.pop()
    try:
        folder = unpack_mnist(cache_folder() if root is None else root)
    except OSError:
        if root is not None:
            raise
        folder = unpack_mnist(Path(tempfile.gettempdir(), "course_lib"))
    return datasets.MNIST(str(folder), train=True), datasets.MNIST(str(folder), train=False)
