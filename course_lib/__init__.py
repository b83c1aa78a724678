"""Helper library of the MNIST1 exercises: data, training, figures, self-checks, in French and English.

    import course_lib as ooo

This is the half of the kit that students hold. Reference answers and the judge live in ``course_lib.reference`` and
``course_lib.grading`` and stay with the instructor.
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checks import CheckFailed, check
    from .confusion import confusion_matrix, display_confusion_matrix, plot_confusion_matrix
    from .device import choose_device
    from .messages import language, set_language
    from .mnist import load_mnist, unpack_mnist
    from .plots import plot_history, plot_image, plot_images
    from .training import ConvergenceHistory, convergence_history_CrossEntropyLoss, evaluate, training_loop

__all__ = [
    "CheckFailed",
    "ConvergenceHistory",
    "check",
    "choose_device",
    "confusion_matrix",
    "convergence_history_CrossEntropyLoss",
    "display_confusion_matrix",
    "evaluate",
    "language",
    "load_mnist",
    "plot_confusion_matrix",
    "plot_history",
    "plot_image",
    "plot_images",
    "set_language",
    "training_loop",
    "unpack_mnist",
]

_MODULES = ("messages", "vision", "mnist", "device", "checks", "training", "plots", "confusion")


def __getattr__(name: str) -> Any:
    """A public name, from the module that defines it."""
    if name in __all__:
        for module in _MODULES:
            found = importlib.import_module(f"{__name__}.{module}")
            if name in found.__all__:
                globals()[name] = getattr(found, name)
                return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# nbgrader's commands need neither torch nor matplotlib, which take seconds to import, and a grading worker not all
if "nbgrader" not in sys.modules and "COURSE_LIB_LAZY" not in os.environ:
    for _module in _MODULES:  # a notebook gets all of it at once, and torchvision mended before it is imported
        importlib.import_module(f"{__name__}.{_module}")
    from .checks import show_to_do_in_one_line

    show_to_do_in_one_line()
