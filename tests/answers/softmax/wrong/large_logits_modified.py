# In place on what is given, where an exponential would overflow.
# fails: test_a_single_image_keeps_its_probabilities
def class_probabilities(logits):
    for row in logits:
        if row.abs().max() > 80:
            row -= row.max()
    e = torch.exp(logits)
    return e / e.sum(dim=1, keepdim=True)
