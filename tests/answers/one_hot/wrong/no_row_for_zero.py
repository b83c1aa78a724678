# The label 0 is taken for no label.
# fails: test_a_single_one_per_row, test_float32, test_ten_columns_whichever_labels_occur
def one_hot(labels):
    encoded = torch.zeros(len(labels), 10)
    for i, label in enumerate(labels):
        if label:
            encoded[i, label] = 1
    return encoded
