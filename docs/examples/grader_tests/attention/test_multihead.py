"""`MultiHeadAttention`: the same outputs as a reference with the same weights, whatever the number of heads."""

import torch
from torch.nn import functional as F

from course_lib.authoring import StudentNotebook, expect, hidden_test, wrong

LAYERS = "query", "key", "value", "output"


def random_weights(d_model):
    generator = torch.Generator().manual_seed(d_model)
    return {f"{layer}.weight": torch.randn((d_model, d_model), generator=generator) / 2 for layer in LAYERS}


def mixed_heads(x, n_heads):
    return x.view(x.shape[0], n_heads, x.shape[1], -1)


def split_heads(x, n_heads):
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def multihead(split=split_heads, uses_mask=True, has_output=True, scale=None):
    """Attention with several heads, with its usual mistakes as options."""

    def forward(x, mask, weights, n_heads):
        q, k, v = (split(x @ weights[f"{layer}.weight"].T, n_heads) for layer in LAYERS[:3])
        mask = mask if uses_mask else None
        result = F.scaled_dot_product_attention(q, k, v, mask, scale=scale and scale(x.shape[-1]))
        result = result.transpose(1, 2).flatten(2)
        return result @ weights["output.weight"].T if has_output else result

    return forward


SUSPECTS = {
    "the heads mix positions: split the features first, then swap the dimensions.": multihead(mixed_heads),
    "the mask does not reach the heads.": multihead(uses_mask=False),
    "the layer output is not used.": multihead(has_output=False),
    "the scores are scaled with d_model: use the size of a head.": multihead(scale=lambda d_model: d_model**-0.5),
    "there is only one head.": lambda x, mask, weights, n_heads: multihead()(x, mask, weights, 1),
}

MASK = torch.ones(5, 5, dtype=torch.bool).tril()


@hidden_test(2, "With the same weights, MultiHeadAttention gives the same outputs as the reference.")
def test_outputs(student: StudentNotebook) -> None:
    x, weights = torch.randn((2, 5, 12), generator=torch.Generator().manual_seed(0)), random_weights(12)
    outputs = student.outputs("MultiHeadAttention", x, MASK, weights=weights)
    expect(outputs, multihead(), x, MASK, weights, 3, suspects=SUSPECTS)


def attend(nb, d_model, n_heads, weights, x, mask):
    """The outputs of a model of another size; None if its weights are not those of the exercise."""
    model = nb.MultiHeadAttention(d_model, n_heads)
    own = model.state_dict()
    if {name: own[name].shape for name in own} != {name: weights[name].shape for name in weights}:
        return None
    model.load_state_dict(weights)
    return model(x, mask).detach()


@hidden_test(1, "MultiHeadAttention works with any size and any number of heads.")
def test_sizes(student: StudentNotebook) -> None:
    x, weights = torch.randn((3, 5, 8), generator=torch.Generator().manual_seed(1)), random_weights(8)
    for n_heads in (2, 8):
        outputs = student.run(attend, 8, n_heads, weights, x, MASK)
        if outputs is None:
            raise wrong("the layers, their sizes or their names are not those of the exercise.")
        expect(outputs, multihead(), x, MASK, weights, n_heads, suspects=SUSPECTS)
