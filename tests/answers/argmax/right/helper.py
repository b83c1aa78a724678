# A function of the student's own.
def is_right(y_pred, labels):
    return predict_labels(y_pred) == labels

def predict_labels(y_pred):
    return torch.argmax(y_pred, 1).long()

def accuracy(y_pred, labels):
    return is_right(y_pred, labels).to(torch.float64).mean().item()
