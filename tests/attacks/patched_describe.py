"""The kernel's side of the wire sends values of kinds that do not exist."""

try:
    from course_lib.kernel import responder

    responder.describe = lambda value, key, tensors: {"kind": "pickle", "value": "gASVAAAA", "type": ["list"]}
except ImportError:
    pass


def add(x):
    return 0.0
