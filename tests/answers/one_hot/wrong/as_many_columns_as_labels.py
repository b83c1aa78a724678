# As many columns as the largest label needs.
# fails: test_ten_columns_whichever_labels_occur
def one_hot(labels):
    return F.one_hot(labels).float()
