# The maximum of the whole batch.
# fails: test_large_logits_do_not_overflow
def class_probabilities(logits):
    e = torch.exp(logits - logits.max())
    return e / e.sum(1, keepdim=True)
