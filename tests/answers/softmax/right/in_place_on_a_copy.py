# In place, on a copy.
def class_probabilities(logits):
    e = logits.clone()
    e -= e.amax(1, keepdim=True)
    e.exp_()
    e /= e.sum(1, keepdim=True)
    return e
