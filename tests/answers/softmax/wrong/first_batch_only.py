# Never more than 512 rows.
# fails: test_softmax_over_the_classes
def class_probabilities(logits):
    return F.softmax(logits[:512], dim=1)
