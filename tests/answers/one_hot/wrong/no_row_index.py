# Every row gets all the ones.
# fails: test_a_single_one_per_row, test_float32
def one_hot(labels):
    result = torch.zeros(len(labels), 10)
    result[:, labels] = 1
    return result
