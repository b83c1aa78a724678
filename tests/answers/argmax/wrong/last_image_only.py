# The loop overwrites its result.
# fails: test_accuracy_is_the_fraction_of_right_labels
def predict_labels(y_pred):
    return torch.argmax(y_pred, dim=1)

def accuracy(y_pred, labels):
    for guess, label in zip(predict_labels(y_pred), labels):
        right = float(guess == label)
    return right
