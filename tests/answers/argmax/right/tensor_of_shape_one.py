# The accuracy is a tensor with one element in one dimension.
def predict_labels(y_pred):
    return y_pred.argmax(dim=1)

def accuracy(y_pred, labels):
    return (predict_labels(y_pred) == labels).float().mean().reshape(1)