"""`numeric_gradient`: central differences."""

from course_lib.authoring import StudentNotebook, expect, hidden_test, wrong

FUNCTIONS = {
    "polynomial": lambda a, b: a**3 * b + b * b,
    "one": lambda a: a**4,
    "many": lambda *xs: sum(i * x**3 for i, x in enumerate(xs)),
}


def gradient(nb, name, xs, eps):
    """The answer, and the list afterwards."""
    return nb.numeric_gradient(FUNCTIONS[name], xs, eps), xs


def differences(name, xs, eps, above=1, below=1, width=2):
    """The central differences; with other arguments, those of a usual mistake."""

    def moved(i, by):
        return FUNCTIONS[name](*(x + by * (i == j) for j, x in enumerate(xs)))

    return [(moved(i, above * eps) - moved(i, -below * eps)) / (width * eps) for i in range(len(xs))]


SUSPECTS = {
    "these are forward differences: go to both sides of each x.": lambda *inputs: differences(*inputs, 1, 0, 1),
    "these are backward differences: go to both sides of each x.": lambda *inputs: differences(*inputs, 0, 1, 1),
    "eps is not used.": lambda name, xs, eps: differences(name, xs, 1e-4),
    "the distance between the two points is 2 eps.": lambda *inputs: differences(*inputs, width=1),
}


def must_differentiate(student, name, xs, eps):
    answer, after = student.run(gradient, name, xs, eps)
    if after != xs:
        raise wrong("the list xs is changed: put each number back, or work on a copy.")
    expect(answer, differences, name, xs, eps, suspects=SUSPECTS)


@hidden_test(1.5, "numeric_gradient gives the central differences, with the given eps.")
def test_differences(student: StudentNotebook) -> None:
    for inputs in ("polynomial", [1.5, -2.0], 0.25), ("one", [0.5], 0.125), ("many", [1.0, 2.0, -1.0, 0.5], 1e-3):
        must_differentiate(student, *inputs)


@hidden_test(0.5, "eps has the default 1e-4.")
def test_default(student: StudentNotebook) -> None:
    eps = student.signature("numeric_gradient").get("eps")
    if eps is None or eps.default != 1e-4:
        raise wrong("the third parameter should be eps=1e-4.")
    must_differentiate(student, "one", [1.0], 1e-4)
