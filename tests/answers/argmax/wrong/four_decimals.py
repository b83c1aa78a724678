# The fraction is rounded to four decimals.
# fails: test_accuracy_is_the_fraction_of_right_labels
def predict_labels(y_pred):
    return y_pred.argmax(1)

def accuracy(y_pred, labels):
    return round((predict_labels(y_pred) == labels).float().mean().item(), 4)
