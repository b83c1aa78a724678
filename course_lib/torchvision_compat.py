"""The only module that imports torchvision. It makes the import fast, and makes it work with a CPU-only torch.

The torchvision wheel is built for CUDA. With a CPU-only torch, its compiled operators do not load, and ``import
torchvision`` fails in the Python code that refers to them ("operator torchvision::nms does not exist"). This library
needs only the data sets and none of the operators, so it declares the missing ones and imports torchvision again.
"""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

import torch

__all__ = ["datasets"]

_COMPILER = "torch._dynamo.utils"

_library = torch.library.Library("torchvision", "FRAGMENT")  # declarations of operators live as long as this object


@contextlib.contextmanager
def _without_compiler() -> Iterator[None]:
    """Make torchvision importable without torch's compiler, which takes 0.8 s and 70 MB.

    torchvision imports one function of the compiler, for one operator. In the block, it gets a function that imports
    the compiler when it is called.
    """
    if _COMPILER in sys.modules:
        yield
        return

    def is_compile_supported(device_type: str) -> bool:
        return bool(importlib.import_module(_COMPILER).is_compile_supported(device_type))

    stand_in = ModuleType(_COMPILER)
    vars(stand_in)["is_compile_supported"] = is_compile_supported
    sys.modules[_COMPILER] = stand_in
    try:
        yield
    finally:
        del sys.modules[_COMPILER]


def _import_torchvision() -> None:
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        _forget_torchvision()
        for operator in ("nms", "qnms"):
            _library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        importlib.import_module("torchvision")


def _forget_torchvision() -> None:
    """Remove what a failed import has left."""
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]


try:
    with _without_compiler():
        _import_torchvision()
except ImportError:  # another version of torchvision imports more of the compiler
    _forget_torchvision()
    _import_torchvision()

from torchvision import datasets  # noqa: E402
