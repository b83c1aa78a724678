"""The one place that imports torchvision, whatever build of torch is installed.

The wheel of torchvision is built for CUDA. Beside a CPU-only torch its compiled operators do not load, and
``import torchvision`` stops at the Python side of them ("operator torchvision::nms does not exist"). The kit needs
none of these operators, only the data sets: declaring the missing schemas is enough to let the import go through.
"""

import contextlib
import importlib
import sys
import types
from collections.abc import Iterator
from typing import Any

import torch

__all__ = ["datasets"]

_library = torch.library.Library("torchvision", "FRAGMENT")  # schemas live as long as this object


@contextlib.contextmanager
def _without_compiler() -> Iterator[None]:
    """Torchvision imports torch's compiler, 0.8 s and 70 MB, for one question of one operator: it is asked then."""
    name = "torch._dynamo.utils"
    if name in sys.modules:
        yield
        return

    def real(attribute: str) -> Any:
        if attribute.startswith("__"):  # of the module: Python looks for its folder
            raise AttributeError(attribute)
        leave()
        return getattr(importlib.import_module(name), attribute)

    def leave() -> None:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]

    stand_in = types.ModuleType(name)
    stand_in.__dict__["is_compile_supported"] = lambda *arguments: real("is_compile_supported")(*arguments)
    stand_in.__dict__["__getattr__"] = real  # for another torchvision, which asks more
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        leave()


with _without_compiler():
    try:
        from torchvision import datasets
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        for module in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[module]  # half-imported
        for operator in ("nms", "qnms"):
            _library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        from torchvision import datasets
