# The indices of max.
def predict_labels(y_pred):
    return y_pred.max(1)[1]

def accuracy(y_pred, labels):
    return float((predict_labels(y_pred) == labels).double().mean())
