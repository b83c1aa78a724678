# Large logits cut off.
# fails: test_large_logits_do_not_overflow
def class_probabilities(logits):
    e = torch.exp(logits.clamp(-50, 50))
    return e / e.sum(1, keepdim=True)
