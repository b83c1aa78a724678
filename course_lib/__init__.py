"""Helper library of the MNIST1 exercises: data, training, figures, self-checks, in French and English.

    import course_lib as ooo

This is the half of the kit that students hold. Reference answers and the judge live in ``course_lib.reference`` and
``course_lib.judge`` and stay with the instructor.
"""

import importlib
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

_MODULES = ("messages", "torchvision_compat", "mnist", "device", "checks", "training", "plots", "confusion")


def __getattr__(name: str) -> Any:
    """A public name; with the first one comes all of them, and torchvision mended before the notebook imports it.

    Until then nothing is imported: nbgrader's commands, the kit's own and a grading worker need neither torchvision nor
    matplotlib, which take seconds.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for module in _MODULES:
        found = importlib.import_module(f"{__name__}.{module}")
        globals().update({public: getattr(found, public) for public in __all__ if public in found.__all__})
    from .checks import show_to_do_in_one_line

    show_to_do_in_one_line()
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
