# Of equal scores, the last one wins.
def predict_labels(y_pred):
    labels = torch.zeros(len(y_pred), dtype=torch.int64)
    for i, row in enumerate(y_pred):
        for k in range(10):
            if row[k] >= row[labels[i]]:
                labels[i] = k
    return labels

def accuracy(y_pred, labels):
    return (predict_labels(y_pred) == labels).float().mean().item()
