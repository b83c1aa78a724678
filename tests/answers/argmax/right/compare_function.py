# torch.eq.
def predict_labels(y_pred):
    _, label = torch.max(y_pred.data, 1)
    return label

def accuracy(y_pred, labels):
    return torch.eq(predict_labels(y_pred), labels).sum().float().item() / labels.size(0)
