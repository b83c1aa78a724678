# What the code began with is left: zeros.
# fails: test_the_largest_score_wins, test_a_single_image_gets_its_label, test_accuracy_is_the_fraction_of_right_labels, test_accuracy_of_all_and_of_none
def predict_labels(y_pred):
    labels = torch.zeros(len(y_pred), dtype=torch.int64)
    return labels

def accuracy(y_pred, labels):
    fraction = 0.0
    return fraction
