# return inside the loop.
# fails: test_a_single_one_per_row, test_float32, test_ten_columns_whichever_labels_occur
def one_hot(labels):
    for label in labels:
        result = torch.zeros(10)
        result[label] = 1
        return result
