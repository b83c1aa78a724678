# Rows from the last to the first, and back.
def predict_labels(y_pred):
    return np.argmax(y_pred.cpu().numpy()[::-1], axis=1)[::-1]

def accuracy(y_pred, labels):
    return float((predict_labels(y_pred) == labels.cpu().numpy()).mean())