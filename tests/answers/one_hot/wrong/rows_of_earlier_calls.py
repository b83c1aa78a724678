# A list as default value keeps the rows of earlier calls.
# fails: test_a_single_one_per_row, test_float32, test_ten_columns_whichever_labels_occur
def one_hot(labels, sortie=[]):
    for l in labels:
        v = [0.0] * 10
        v[int(l)] = 1.0
        sortie.append(v)
    return torch.tensor(sortie)
