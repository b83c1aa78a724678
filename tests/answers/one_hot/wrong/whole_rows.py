# The labels choose rows instead of columns.
# fails: test_a_single_one_per_row, test_float32, test_ten_columns_whichever_labels_occur
def one_hot(labels):
    z = torch.zeros(len(labels), 10)
    z[labels] = 1
    return z
