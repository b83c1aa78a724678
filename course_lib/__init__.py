"""Helper library for deep-learning exercises: data, training, figures and self-checks, in French and English.

    import course_lib as ooo

Students get the modules of this folder. The sub-packages, with reference answers, hidden tests and the judge, stay with
the instructor.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checks import CheckFailed, Property, check, check_properties
    from .confusion import confusion_matrix, display_confusion_matrix, plot_confusion_matrix
    from .device import choose_device
    from .exercise import Exercise, Task
    from .messages import language, set_language
    from .mnist import load_mnist, unpack_mnist
    from .mnist1_exercise import check_answer, hand_in, hint, progress
    from .plots import plot_history, plot_image, plot_images
    from .training import (
        ConvergenceHistory,
        convergence_history_CrossEntropyLoss,
        evaluate,
        load,
        save,
        training_loop,
    )

__all__ = [
    "CheckFailed",
    "ConvergenceHistory",
    "Exercise",
    "Property",
    "Task",
    "check",
    "check_answer",
    "check_properties",
    "choose_device",
    "confusion_matrix",
    "convergence_history_CrossEntropyLoss",
    "display_confusion_matrix",
    "evaluate",
    "hand_in",
    "hint",
    "language",
    "load",
    "load_mnist",
    "plot_confusion_matrix",
    "plot_history",
    "plot_image",
    "plot_images",
    "progress",
    "save",
    "set_language",
    "training_loop",
    "unpack_mnist",
]

_MODULES = (
    "messages",
    "torchvision_compat",
    "mnist",
    "device",
    "checks",
    "exercise",
    "mnist1_exercise",
    "training",
    "plots",
    "confusion",
)


def __getattr__(name: str) -> Any:
    """Import all public names when the first of them is used.

    This also prepares torchvision, before the notebook imports it. It happens this late because torchvision and
    matplotlib take seconds to import, and the commands and grading workers need neither.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for module in _MODULES:
        found = importlib.import_module(f"{__name__}.{module}")
        globals().update({public: getattr(found, public) for public in __all__ if public in found.__all__})
    from .cards import show_to_do_calmly

    show_to_do_calmly()
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
