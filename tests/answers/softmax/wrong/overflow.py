# By hand, without the maximum.
# fails: test_large_logits_do_not_overflow
def class_probabilities(logits):
    e = logits.exp()
    return e / e.sum(1, keepdim=True)
