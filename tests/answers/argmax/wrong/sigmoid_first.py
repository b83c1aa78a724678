# Probabilities by a sigmoid, which is 1 for all large scores.
# fails: test_the_largest_score_wins
def predict_labels(y_pred):
    return torch.sigmoid(y_pred).argmax(dim=1)

def accuracy(y_pred, labels):
    return (predict_labels(y_pred) == labels).float().mean().item()
