# Results of numpy.
def predict_labels(y_pred):
    return np.argmax(y_pred.numpy(), axis=1)

def accuracy(y_pred, labels):
    return (predict_labels(y_pred) == labels.numpy()).mean()
