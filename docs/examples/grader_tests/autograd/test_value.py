"""`Value`: the derivatives of small expressions, compared with torch."""

import torch

from course_lib.authoring import StudentNotebook, close, expect, hidden_test, wrong

EXPRESSIONS = {
    "sum": lambda a, b, c: a + b + c,
    "product": lambda a, b, c: a * b * c,
    "numbers": lambda a, b, c: 2 * a + b * 3.5 + (1 + c) + 4,
    "tanh": lambda a, b, c: (a * b).tanh() + (c + 0.5).tanh(),
    "square": lambda a, b, c: a * a * b + c,
    "shared": lambda a, b, c: (lambda d: (d * b + d * c) * d)(a + b),
}
INPUTS = (0.75, -0.5, 0.25), (-1.25, 0.375, 2.0)


def derivatives(nb, name, *inputs):
    """The result of an expression, and its derivatives; None if the expression has no value.

    In inference mode, torch cannot do the student's work.
    """
    with torch.inference_mode():
        values = [nb.Value(x) for x in inputs]
        try:
            result = EXPRESSIONS[name](*values)
        except (TypeError, AttributeError):  # of this file: an operator is missing, or one returns None
            return None
        if type(result) is not type(values[0]):
            return None
        result.backward()
        return result.data, [getattr(value, "grad", None) for value in values]


def reference(name, *inputs):
    values = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in inputs]
    result = EXPRESSIONS[name](*values)
    return result.item(), [gradient.item() for gradient in torch.autograd.grad(result, values)]


SUSPECTS = {
    "grad is overwritten: add to it, because a value can be used several times.":
        lambda _, a, b, c: (a * a * b + c, [a * b, a * a, 1.0]),
    "the derivatives stay 0: does the result start with 1?":
        lambda *inputs: (reference(*inputs)[0], [0.0, 0.0, 0.0]),
    "the derivative of tanh is 1 - tanh².":
        lambda _, a, b, c: (reference("tanh", a, b, c)[0], [b, a, 1.0]),
}  # fmt: skip


def answer(student, name, inputs):
    found = student.run(derivatives, name, *inputs)
    if found is None:
        raise wrong("an operation is missing, or does not return a Value.")
    return found


@hidden_test(1, "Value adds and multiplies, and backward gives the derivatives.")
def test_sums_and_products(student: StudentNotebook) -> None:
    for name in "sum", "product":
        for inputs in INPUTS:
            expect(answer(student, name, inputs), reference, name, *inputs, suspects=SUSPECTS)


@hidden_test(0.5, "One of the operands may be a number, on either side.")
def test_numbers(student: StudentNotebook) -> None:
    expect(answer(student, "numbers", INPUTS[0]), reference, "numbers", *INPUTS[0], suspects=SUSPECTS)


@hidden_test(1, "Value has the tanh with its derivative.")
def test_tanh(student: StudentNotebook) -> None:
    for inputs in INPUTS:
        expect(answer(student, "tanh", inputs), reference, "tanh", *inputs, suspects=SUSPECTS)


@hidden_test(0.5, "A value that is used twice gets both derivatives.")
def test_used_twice(student: StudentNotebook) -> None:
    expect(answer(student, "square", INPUTS[0]), reference, "square", *INPUTS[0], suspects=SUSPECTS)


@hidden_test(1, "backward goes through the values in topological order.")
def test_topological_order(student: StudentNotebook) -> None:
    for inputs in INPUTS:
        if not close(answer(student, "shared", inputs), reference("shared", *inputs)):
            raise wrong("a value passes its derivative on before it is complete, or twice.")
