# The labels of the caller are given another shape.
# fails: test_ten_columns_whichever_labels_occur
def one_hot(labels):
    return (labels.unsqueeze_(1) == torch.arange(10)).float()
