# Never more than 512 rows.
# fails: test_a_single_one_per_row
def one_hot(labels):
    return F.one_hot(labels, 10).float()[:512]