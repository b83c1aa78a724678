# The search for the maximum begins at 0.
# fails: test_the_largest_score_wins
def predict_labels(y_pred):
    guesses = []
    for row in y_pred:
        best, place = 0, 0
        for k in range(10):
            if row[k] > best:
                best, place = row[k], k
        guesses.append(place)
    return torch.tensor(guesses)

def accuracy(y_pred, labels):
    return (y_pred.argmax(1) == labels).float().mean().item()
