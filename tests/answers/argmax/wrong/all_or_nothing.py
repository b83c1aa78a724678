# 1.0 if all are right.
# fails: test_accuracy_is_the_fraction_of_right_labels
def predict_labels(y_pred):
    return torch.argmax(y_pred, dim=1)

def accuracy(y_pred, labels):
    return float((predict_labels(y_pred) == labels).all())
