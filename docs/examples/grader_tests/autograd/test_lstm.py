"""`LSTMCell`: the same weights give the same states and gradients as torch's own cell."""

import torch

from course_lib.authoring import StudentNotebook, expect, hidden_test, wrong


def data(seed, n=6, n_inputs=3, n_hidden=5):
    """Random weights b, W, U, ordered by shape, and inputs x, h, c."""
    generator = torch.Generator().manual_seed(seed)
    weights = (4 * n_hidden,), (4 * n_hidden, n_inputs), (4 * n_hidden, n_hidden)
    inputs = (n, n_inputs), (n, n_hidden), (n, n_hidden)
    return [[torch.randn(shape, generator=generator) for shape in shapes] for shapes in (weights, inputs)]


def torchs_cell(weights, inputs):
    (b, w, u), (x, h, c) = weights, inputs
    return torch.lstm_cell(x, (h, c), w, u, b, torch.zeros_like(b))


def variant(weights, inputs, order="ifgo", squash_g=torch.tanh, squash_c=torch.tanh):
    """A cell with a usual mistake."""
    (b, w, u), (x, h, c) = weights, inputs
    gate = dict(zip(order, (x @ w.T + h @ u.T + b).chunk(4, dim=1), strict=True))
    c = gate["f"].sigmoid() * c + gate["i"].sigmoid() * squash_g(gate["g"])
    return gate["o"].sigmoid() * squash_c(c), c


SUSPECTS = {
    "the gates come in the order i, f, g, o.": lambda *inputs: variant(*inputs, order="ifog"),
    "g goes through tanh.": lambda *inputs: variant(*inputs, squash_g=torch.sigmoid),
    "h' contains the tanh of c'.": lambda *inputs: variant(*inputs, squash_c=lambda c: c),
    "return h' before c'.": lambda *inputs: variant(*inputs)[::-1],
}


def weighted_sum(state):
    """A loss that depends on both parts of the state."""
    h, c = state
    return (h * torch.linspace(-1, 1, h.numel()).view_as(h) + c.square()).sum()


def gradients(nb, weights, inputs):
    """The gradients for the inputs and the parameters; None if the state has none."""
    x, h, c = (tensor.requires_grad_() for tensor in inputs)
    cell = nb.LSTMCell(x.shape[1], h.shape[1])
    parameters = sorted(cell.parameters(), key=lambda parameter: parameter.shape)
    for parameter, weight in zip(parameters, weights, strict=True):
        parameter.data.copy_(weight)
    loss = weighted_sum(cell(x, (h, c)))
    if not loss.requires_grad:
        return None
    loss.backward()
    return [tensor.grad for tensor in [x, h, c, *parameters]]


def reference_gradients(weights, inputs):
    tensors = [tensor.requires_grad_() for tensor in [*inputs, *weights]]
    return list(torch.autograd.grad(weighted_sum(torchs_cell(tensors[3:], tensors[:3])), tensors))


def must_give_states(student, weights, inputs):
    x, *state = inputs
    answer = student.outputs("LSTMCell", x, tuple(state), init=(3, 5), weights=weights)
    expect(tuple(answer) if isinstance(answer, list) else answer, torchs_cell, weights, inputs, suspects=SUSPECTS)


@hidden_test(2, "With the same weights, LSTMCell gives the same states as torch.")
def test_states(student: StudentNotebook) -> None:
    for seed in 0, 1:
        must_give_states(student, *data(seed))


@hidden_test(2, "With the same weights, the states have the same gradients as those of torch.")
def test_gradients(student: StudentNotebook) -> None:
    must_give_states(student, *data(2))  # so the probe needs no checks of its own
    answer = student.run(gradients, *data(2))
    if answer is None or None in answer:
        raise wrong("some gradients are missing: do not detach anything.")
    expect(answer, reference_gradients, *data(2))
