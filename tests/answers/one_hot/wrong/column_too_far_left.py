# Labels from 1 to 10 expected.
# fails: test_a_single_one_per_row, test_float32, test_ten_columns_whichever_labels_occur
def one_hot(labels):
    return torch.eye(10)[labels - 1]
