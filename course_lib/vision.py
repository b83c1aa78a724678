"""The one place that imports torchvision, whatever build of torch is installed.

The wheel of torchvision is built for CUDA. Beside a CPU-only torch its compiled operators do not load, and
``import torchvision`` stops at the Python side of them ("operator torchvision::nms does not exist"). The kit needs
none of these operators, only the data sets: declaring the missing schemas is enough to let the import go through.
"""

import sys

import torch

__all__ = ["datasets"]

_library = torch.library.Library("torchvision", "FRAGMENT")  # schemas live as long as this object


try:
    from torchvision import datasets
except RuntimeError as error:
    if "operator torchvision::nms does not exist" not in str(error):
        raise
    for module in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[module]  # half-imported
    for name in ("nms", "qnms"):
        _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision import datasets
