# The loop begins with 1.
# fails: test_accuracy_is_the_fraction_of_right_labels, test_accuracy_of_all_and_of_none
def predict_labels(y_pred):
    return torch.argmax(y_pred, dim=1)

def accuracy(y_pred, labels):
    right = 0
    for i in range(1, len(labels)):
        right += int(predict_labels(y_pred)[i] == labels[i])
    return right / len(labels)
