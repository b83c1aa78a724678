# -1 instead of 0.
# fails: test_a_single_one_per_row, test_float32, test_ten_columns_whichever_labels_occur
def one_hot(labels):
    return 2 * F.one_hot(labels, 10).float() - 1
