"""Helper library of the MNIST1 exercises: data, training, figures, self-checks, in French and English.

    import course_lib as ooo

This is the half of the kit that students hold. Reference answers and the judge live in ``course_lib.reference`` and
``course_lib.grading`` and stay with the instructor.
"""

from .checks import CheckFailed, check, show_to_do_in_one_line
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

show_to_do_in_one_line()
