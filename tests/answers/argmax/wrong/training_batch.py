# For one training batch of 512.
# fails: test_the_largest_score_wins, test_accuracy_is_the_fraction_of_right_labels, test_accuracy_of_all_and_of_none
def predict_labels(y_pred):
    return y_pred[:512].argmax(dim=1)

def accuracy(y_pred, labels):
    return (y_pred.argmax(dim=1) == labels).sum().item() / 512
