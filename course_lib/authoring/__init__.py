"""Everything that an author of hidden tests needs.

    from course_lib.authoring import StudentNotebook, Text, expect, hidden_test

A hidden test is a pytest function with the decorator ``hidden_test`` and the argument ``student``, a
``StudentNotebook``. It asks the notebook for answers and compares them with the right ones: with ``expect`` for
functions and values, with a ``ModelComparison`` for models.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..compare import close
    from ..messages import Text
    from ..results.failures import StudentFailure
    from .accuracy import AccuracyTest
    from .distributions import must_be_distributed
    from .expectations import Suspects, expect, expect_all, likely, rounded, wrong
    from .hidden_test import hidden_test
    from .image_suspects import IMAGE_CAUSES, IMAGE_SUSPECTS
    from .model_comparison import ModelComparison
    from .model_suspects import ACTIVATION_SUSPECTS, OUTPUT_SUSPECTS, ModelCauses, replacing
    from .notebook import StudentNotebook
    from .values import Dtype

__all__ = [
    "ACTIVATION_SUSPECTS",
    "IMAGE_CAUSES",
    "IMAGE_SUSPECTS",
    "OUTPUT_SUSPECTS",
    "AccuracyTest",
    "Dtype",
    "ModelCauses",
    "ModelComparison",
    "StudentFailure",
    "StudentNotebook",
    "Suspects",
    "Text",
    "close",
    "expect",
    "expect_all",
    "hidden_test",
    "likely",
    "must_be_distributed",
    "replacing",
    "rounded",
    "wrong",
]

_MODULES = {
    "..compare": ("close",),
    "..messages": ("Text",),
    ".accuracy": ("AccuracyTest",),
    ".distributions": ("must_be_distributed",),
    ".expectations": ("Suspects", "expect", "expect_all", "likely", "rounded", "wrong"),
    "..results.failures": ("StudentFailure",),
    ".hidden_test": ("hidden_test",),
    ".image_suspects": ("IMAGE_CAUSES", "IMAGE_SUSPECTS"),
    ".model_suspects": ("ACTIVATION_SUSPECTS", "OUTPUT_SUSPECTS", "ModelCauses", "replacing"),
    ".model_comparison": ("ModelComparison",),
    ".notebook": ("StudentNotebook",),
    ".values": ("Dtype",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """A public name. Its module is imported when the name is first used, not with the package.

    nbgrader's commands import ``course_lib.results.errors`` and ``.result``, and torch would cost them seconds.
    """
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(importlib.import_module(_MODULE_OF[name], __name__), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
