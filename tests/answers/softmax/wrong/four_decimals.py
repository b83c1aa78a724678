# Rounded to four decimals.
# fails: test_rows_sum_to_one, test_softmax_over_the_classes, test_a_single_image_keeps_its_probabilities
def class_probabilities(logits):
    return F.softmax(logits, dim=1).round(decimals=4)
