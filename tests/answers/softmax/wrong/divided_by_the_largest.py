# Divided by the largest logit.
# fails: test_softmax_over_the_classes, test_a_single_image_keeps_its_probabilities, test_large_logits_do_not_overflow
def class_probabilities(logits):
    return F.softmax(logits / logits.max(), dim=1)
