# The places in the flattened result are computed in the labels themselves.
# fails: test_ten_columns_whichever_labels_occur
def one_hot(labels):
    result = torch.zeros(len(labels), 10)
    labels += 10 * torch.arange(len(labels))
    result.view(-1)[labels] = 1
    return result
