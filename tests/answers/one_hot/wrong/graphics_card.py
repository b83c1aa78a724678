# Insists on a GPU.
# fails: test_a_single_one_per_row, test_float32, test_ten_columns_whichever_labels_occur
def one_hot(labels):
    return F.one_hot(labels.cuda(), 10).float().cpu()
