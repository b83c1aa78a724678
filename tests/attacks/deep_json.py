"""Outputs and answers with more nested JSON than parsers allow."""

deep = []
for _ in range(900):
    deep = [deep]
from IPython.display import display

display({"application/json": deep, "text/plain": "deep"}, metadata={"a": {"b": {"c": 1}}}, raw=True)
try:
    import course_lib.kernel.responder as responder

    responder.describe = lambda value, key, tensors: {"kind": "float", "value": deep}
except ImportError:
    pass


def add(x):
    return 0.0
