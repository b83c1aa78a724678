# Whatever the memory holds, where the zeros should be.
# fails: test_a_single_one_per_row, test_float32, test_ten_columns_whichever_labels_occur
def one_hot(labels):
    result = torch.Tensor(len(labels), 10)
    return result.scatter_(1, labels.unsqueeze(1), 1)
