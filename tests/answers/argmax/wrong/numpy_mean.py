# numpy's mean of a tensor.
# fails: test_accuracy_is_the_fraction_of_right_labels, test_accuracy_of_all_and_of_none
def predict_labels(y_pred):
    return y_pred.argmax(dim=1)

def accuracy(y_pred, labels):
    return np.mean(predict_labels(y_pred) == labels)
