# exp of log_softmax.
def class_probabilities(logits):
    return F.log_softmax(logits, dim=1).exp()
