# math.exp, number by number.
# fails: test_large_logits_do_not_overflow
def class_probabilities(logits):
    import math
    rows = []
    for row in logits.tolist():
        e = [math.exp(z) for z in row]
        rows.append([v / sum(e) for v in e])
    return torch.tensor(rows)
