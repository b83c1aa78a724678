# The scores are rounded to half precision first.
# fails: test_the_largest_score_wins
def predict_labels(y_pred):
    return y_pred.half().argmax(dim=1)

def accuracy(y_pred, labels):
    return (y_pred.argmax(dim=1) == labels).float().mean().item()