# The loop ends too early.
# fails: test_accuracy_is_the_fraction_of_right_labels, test_accuracy_of_all_and_of_none
def predict_labels(y_pred):
    return torch.argmax(y_pred, dim=1)

def accuracy(y_pred, labels):
    right = 0
    for i in range(len(labels) - 1):
        right += int(predict_labels(y_pred)[i] == labels[i])
    return right / len(labels)
