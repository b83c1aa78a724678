"""A custom handler that swallows every exception."""

get_ipython().set_custom_exc((BaseException,), lambda self, etype, value, tb, tb_offset=None: None)


def add(x):
    raise RuntimeError("no answer")
