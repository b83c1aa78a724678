# The loop ends too early.
# fails: test_rows_sum_to_one, test_softmax_over_the_classes, test_a_single_image_keeps_its_probabilities, test_large_logits_do_not_overflow
def class_probabilities(logits):
    p = torch.zeros_like(logits)
    for i in range(len(logits) - 1):
        p[i] = logits[i].softmax(0)
    return p
