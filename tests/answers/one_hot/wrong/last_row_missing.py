# The loop ends too early.
# fails: test_a_single_one_per_row, test_float32, test_ten_columns_whichever_labels_occur
def one_hot(labels):
    sortie = torch.zeros(len(labels), 10)
    for i in range(len(labels) - 1):
        sortie[i, labels[i]] = 1
    return sortie
