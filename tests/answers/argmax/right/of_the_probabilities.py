# argmax of the probabilities.
def predict_labels(y_pred):
    return F.softmax(y_pred, dim=1).argmax(dim=1)

def accuracy(y_pred, labels):
    return (predict_labels(y_pred) == labels).float().mean().item()
