"""`clip_gradients`: one norm for all gradients."""

import torch

from course_lib.authoring import StudentNotebook, expect, hidden_test, wrong

GRADIENTS = [torch.tensor([[3.0, -1.0], [0.5, 2.0]]), None, torch.tensor([0.25, -4.0, 1.0])]


def clipped(nb, gradients, max_norm, once=False):
    """The norm that the student's function returns, and the gradients afterwards."""
    parameters = [torch.nn.Parameter(torch.zeros(2 if grad is None else grad.shape)) for grad in gradients]
    for parameter, grad in zip(parameters, gradients, strict=True):
        parameter.grad = grad
    norm = nb.clip_gradients(iter(parameters) if once else parameters, max_norm)
    return norm, [parameter.grad for parameter in parameters]


def total(gradients):
    return torch.cat([grad.flatten() for grad in gradients if grad is not None]).norm().item()


def each(gradients, change):
    return total(gradients), [None if grad is None else change(grad) for grad in gradients]


def reference(gradients, max_norm, once=False):
    return each(gradients, lambda grad: grad * min(1, max_norm / total(gradients)))


SUSPECTS = {
    "the parameters are read twice: make a list of them first.":
        lambda gradients, max_norm, once=False: each(gradients, lambda grad: grad) if once else None,
    "each gradient is clipped alone: there is one norm for all of them.":
        lambda gradients, max_norm, *_: each(gradients, lambda grad: grad * min(1, max_norm / grad.norm())),
    "small gradients are scaled, too: leave them as they are.":
        lambda gradients, max_norm, *_: each(gradients, lambda grad: grad * max_norm / total(gradients)),
    "the elements are clipped, not the norm.":
        lambda gradients, max_norm, *_: each(gradients, lambda grad: grad.clamp(-max_norm, max_norm)),
    "the gradients are not scaled in place.":
        lambda gradients, *_: each(gradients, lambda grad: grad),
    "the norm is the root of the sum of the squares.":
        lambda *inputs: (total(inputs[0]) ** 2, reference(*inputs)[1]),
    "return the norm before the gradients are scaled.":
        lambda *inputs: (min(inputs[1], total(inputs[0])), reference(*inputs)[1]),
}  # fmt: skip


def must_clip(student, *inputs):
    if student.uses("clip_gradients", "clip_grad_norm_"):
        raise wrong("do not use torch.nn.utils.")
    expect(student.run(clipped, *inputs), reference, *inputs, suspects=SUSPECTS)


@hidden_test(1, "clip_gradients scales all gradients by one factor, and returns their norm.")
def test_large(student: StudentNotebook) -> None:
    for max_norm in 2.5, 0.5:
        must_clip(student, GRADIENTS, max_norm)


@hidden_test(0.5, "clip_gradients leaves small gradients as they are.")
def test_small(student: StudentNotebook) -> None:
    must_clip(student, GRADIENTS, 50.0)


@hidden_test(0.5, "clip_gradients also takes model.parameters(), which can be read only once.")
def test_parameters_of_a_model(student: StudentNotebook) -> None:
    must_clip(student, GRADIENTS, 2.5, True)
