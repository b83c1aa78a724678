# The mean instead of the maximum.
# fails: test_large_logits_do_not_overflow
def class_probabilities(logits):
    e = torch.exp(logits - logits.mean(1, keepdim=True))
    return e / e.sum(1, keepdim=True)
