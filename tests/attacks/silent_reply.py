"""Never answers, but stays alive and idle."""

kernel = get_ipython().kernel


def add(x):
    original = kernel.session.send
    kernel.session.send = lambda stream, kind, *a, **k: (
        None if kind == "judge_reply" else original(stream, kind, *a, **k)
    )
    return 0.0
