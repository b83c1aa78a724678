# Powers of 2.
# fails: test_softmax_over_the_classes, test_a_single_image_keeps_its_probabilities, test_large_logits_do_not_overflow
def class_probabilities(logits):
    e = 2 ** (logits - logits.amax(1, keepdim=True))
    return e / e.sum(1, keepdim=True)
