"""The likely cause of a wrong answer, based on the error or on the shape and type of the result.

Self-checks and the judge use the same sentences, from the catalogue in :mod:`course_lib.messages`. The student's code
can influence which sentence is shown, but never its wording: an error message or the name of a type could contain the
inputs of a hidden test.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .messages import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

__all__ = ["FUNCTIONS", "MAX_TEXT", "dtype_cause", "error_cause", "known_error_cause", "shape_cause", "type_cause"]

MAX_TEXT = 500
"""Largest length of an error message, or of any other string, that is sent to the judge and read here."""

FUNCTIONS = ("function", "method", "builtin_function_or_method")
"""Names of the types of functions. A result of such a type should have been called."""

_TYPES = {
    "bool", "int", "float", "str", "list", "tuple", "dict", "set", "Tensor",
    "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
}  # fmt: skip
"""Names of types that a sentence may mention. A student's class could have any name."""

_SHOWN = {"Tensor": "Tensor/ndarray"}
"""Arrays are sent to the judge as tensors, so it cannot tell them apart."""

_ERRORS = {
    "sparse": "[Ss]parse [A-Z ]*tensors?|from the 'Sparse",
    "linear_size": "mat1 and mat2 shapes cannot be multiplied|size mismatch, got input",
    "channels": r"expected input\[.*channels|Expected 3D \(unbatched\) or 4D|expected 4D input",
    "too_small": "Kernel size can't be greater|Output size is too small",
    "normalization": "running_mean should contain|normalized_shape|number of channels in input|expected 2D or 3D input",
    "recurrent": (
        r"must be equal to input_size|inconsistent input_size|Expected hidden\S* size|hx should|"
        r"(RNN|LSTM|GRU)\w*: Expected input"
    ),
    "view": "is invalid for input of size|cannot reshape array|don't multiply up to|only one dimension can be inferred",
    "contiguous": "view size is not compatible",
    "device": "on the same device|CUDA|NVIDIA|cuda",
    "dtype": (
        "expected scalar type|of the following scalar types|same dtype|must be the same$|not implemented for|"
        "could not infer output dtype|index tensor|can't be cast|should be the same|"
        "used as indices must be|does not support (bool|complex) input|bool tensors? is not supported|"
        r"expected target dtype|dtype \w+ but expected|Expected (self\.)?dtype|only support floating point|"
        "only integers, slices"
    ),
    "dim": (
        "Dimension out of range|axis .* is out of bounds|too many indices|a 0-d(im)? tensor|"
        "number of dimensions in the tensor input does not match"
    ),
    "index": "Class values must be|out of bounds|out of range",
    "sizes": (
        "must match the (size|existing size)|be broadcast|not broadcastable|Sizes of tensors|"
        "not aligned|mismatch in its core dimension|to match target batch_size|to the input size|as input size|"
        "could not broadcast|to be equal size|must match exactly|same number of (dimensions|elements)|"
        "does not (match the shape|broadcast)"
    ),
    "unpack": "values to unpack|cannot unpack non-iterable (?!NoneType)",
    "scalar": "to Python scalars|cannot be converted to Scalar|Boolean value of Tensor|truth value of an array",
    "in_place": "inplace operation|in-place operation",
    "one_image": "more than 1 value per channel",
    "numpy": r"Can't call numpy\(\)",
    "parameters": "empty parameter list",
    "detached": r"does not require grad|argument to `grad\(\)` cannot be empty",
    "forward": r'missing the required "forward"',
    "super": r"before Module.__init__\(\)",
    "tuple": (
        r"must be Tensor, not (tuple|torch\.return_types)|!tuple of \(Tensor|"
        r"'(tuple|torch\.return_types\.\w+)' object has no attribute|unsupported operand.*'torch\.return_types"
    ),
    "numpy_function": (
        r"\b(mean|sum|max|min)\(\) got an unexpected keyword argument 'axis'|out=NoneType|"
        "'dim' must be int, not NoneType"
    ),
    "arguments": (
        r"positional argument|keyword argument|invalid combination of arguments|takes no arguments|takes exactly|"
        r"expected (at (least|most) )?\d+ argument"
    ),
    "none": "NoneType",
    "types": (
        "unsupported operand|not supported between instances|bad operand type|can only concatenate|unhashable type|"
        "is not subscriptable|is not iterable|has no len|must be .*, not |invalid literal for|could not convert string|"
        "can't convert np.ndarray|signature matching types|interpreted as an integer|must be integers|"
        "too many dimensions|must be tuple of ints|expected np.ndarray|is not a Module subclass"
    ),
    "not_callable": "object is not callable",
    "attribute": "^AttributeError",
    "name": "^(NameError|UnboundLocalError)",
    "key": "^KeyError",
    "file": "^(FileNotFoundError|NotADirectoryError)",
    "module": "^(ModuleNotFoundError|ImportError)",
    "unfinished": "^NotImplementedError: $",  # those of torch have a message
    "input": "^(EOFError|StdinNotImplementedError)",
    "recursion": "^RecursionError",
    "zero": "^ZeroDivisionError",
    "overflow": "^OverflowError",
    "exit": "^(SystemExit|KeyboardInterrupt)",
    "indentation": "^(SyntaxError|IndentationError|TabError)",
}
"""Key of a sentence -> regular expression for ``<type>: <message>`` of an exception. The first match counts."""


def known_error_cause(kind: str, message: str) -> str | None:
    """Return the likely cause of an exception, or None if no pattern matches.

    Args:
        kind: name of its type.
        message: its message.
    """
    text = f"{kind[:MAX_TEXT]}: {message[:MAX_TEXT]}"  # the search time grows with the square of the length
    key = next((key for key, pattern in _ERRORS.items() if re.search(pattern, text)), None)
    return key and say(f"cause.{key}")


def error_cause(kind: str, message: str) -> str:
    """Return the likely cause of an exception for the judge, or general advice if no pattern matches.

    The judge cannot show the message itself, which could contain hidden inputs.
    """
    return known_error_cause(kind, message) or say("cause.error")


def shape_cause(actual: Sequence[int], expected: Sequence[int]) -> str:
    """Return the likely cause of a result of the wrong shape."""
    if list(actual) == list(reversed(expected)):
        return say("cause.transposed")
    if len(actual) != len(expected):
        return say("cause.dimensions", actual=len(actual), expected=len(expected))
    if actual[0] != expected[0]:
        return say("cause.rows" if len(expected) > 1 else "cause.length")
    return say("cause.columns")


def dtype_cause(actual: torch.dtype, expected: torch.dtype) -> str:
    """Return the likely cause of a result of the wrong dtype."""
    return type_cause(*(str(dtype).removeprefix("torch.") for dtype in (actual, expected)))


def type_cause(name: str, expected: str) -> str:
    """Return the likely cause of a result of the wrong type.

    Args:
        name: name of its type.
        expected: name of the type that the exercise asks for.
    """
    if name == "NoneType":
        return say("cause.no_return")
    if name in FUNCTIONS:
        return say("cause.not_called")
    expected = _SHOWN.get(expected, expected)
    if name not in _TYPES:
        return say("cause.other_type", expected=expected)
    return say("cause.type", actual=_SHOWN.get(name, name), expected=expected)
