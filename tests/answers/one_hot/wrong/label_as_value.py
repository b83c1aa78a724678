# The label in its column.
# fails: test_a_single_one_per_row, test_float32, test_ten_columns_whichever_labels_occur
def one_hot(labels):
    result = torch.zeros(len(labels), 10)
    result[torch.arange(len(labels)), labels] = labels.float()
    return result
