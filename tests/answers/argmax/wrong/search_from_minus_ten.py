# A score below -10 never wins.
# fails: test_the_largest_score_wins
def predict_labels(y_pred):
    predicted = torch.zeros(len(y_pred), dtype=torch.int64)
    for i, row in enumerate(y_pred):
        best = -10
        for k in range(10):
            if row[k] > best:
                best = row[k]
                predicted[i] = k
    return predicted

def accuracy(y_pred, labels):
    return (predict_labels(y_pred) == labels).float().mean().item()
