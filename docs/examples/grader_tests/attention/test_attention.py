"""`attention`: scaled scores, a softmax over the keys, and a mask."""

import torch
from torch.nn import functional as F

from course_lib.authoring import StudentNotebook, expect, hidden_test


def reference(q, k, v, mask=None):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def weighted(q, k, v, mask=None, scale=None, dim=-1):
    """Attention with another scale or another dimension of the softmax."""
    scores = q @ k.mT / (q.shape[-1] ** 0.5 if scale is None else scale)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim) @ v


def masked_late(q, k, v, mask):
    return (weighted(q, k, torch.eye(k.shape[-2])) * mask) @ v


SUSPECTS = {
    "the scores are not divided by the square root of d.": lambda *inputs: weighted(*inputs, scale=1),
    "the scores are divided by d, not by its square root.": lambda q, *inputs: weighted(q, *inputs, scale=q.shape[-1]),
    "the softmax goes over the queries: each query needs weights that sum to 1 over the keys.":
        lambda *inputs: weighted(*inputs, dim=-2),
}  # fmt: skip

MASK_SUSPECTS = {
    "the mask is ignored.": lambda q, k, v, mask: reference(q, k, v),
    "the mask is the wrong way round: True means that a position may be looked at.":
        lambda q, k, v, mask: reference(q, k, v, ~mask),
    "the mask comes after the softmax, so the weights no longer sum to 1.": masked_late,
    "masked scores become 0, which still has a weight after the softmax: use minus infinity.":
        lambda q, k, v, mask: (q @ k.mT / q.shape[-1] ** 0.5 * mask).softmax(-1) @ v,
}  # fmt: skip


def random_inputs(*batch):
    """q, k and v for 4 queries, 6 keys, d = 5 and e = 3."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn((*batch, *shape), generator=generator) for shape in ((4, 5), (6, 5), (6, 3))]


@hidden_test(1.5, "attention gives the weighted mean of the values, for any number of batch dimensions.")
def test_values(student: StudentNotebook) -> None:
    for batch in ((), (2,), (2, 3)):
        inputs = random_inputs(*batch)
        expect(student.tensor("attention", *inputs, shape=(*batch, 4, 3)), reference, *inputs, suspects=SUSPECTS)


@hidden_test(1.5, "A position does not look at what the mask hides.")
def test_mask(student: StudentNotebook) -> None:
    mask = torch.ones(4, 6, dtype=torch.bool).tril(1)
    inputs = *random_inputs(2), mask
    expect(student.tensor("attention", *inputs, shape=(2, 4, 3)), reference, *inputs, suspects=SUSPECTS | MASK_SUSPECTS)
