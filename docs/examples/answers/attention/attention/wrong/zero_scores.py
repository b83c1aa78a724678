# Masked scores become 0, and the transposition swaps the wrong dimensions.
# fails: test_values, test_mask
def attention(q, k, v, mask=None):
    scores = q @ k.transpose(0, 1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores * mask
    return scores.softmax(dim=-1) @ v
