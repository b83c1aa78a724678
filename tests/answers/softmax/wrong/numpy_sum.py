# numpy's sum of a tensor.
# fails: test_rows_sum_to_one, test_softmax_over_the_classes, test_a_single_image_keeps_its_probabilities, test_large_logits_do_not_overflow
def class_probabilities(logits):
    e = torch.exp(logits - logits.amax(dim=1, keepdim=True))
    return e / np.sum(e, axis=1, keepdims=True)
