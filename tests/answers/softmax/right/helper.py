# A function of the student's own.
def normalized(scores):
    return scores / scores.sum(-1)[:, None]

def class_probabilities(logits):
    largest, _ = logits.max(-1)
    return normalized((logits - largest[:, None]).exp())
