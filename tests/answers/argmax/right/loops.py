# Loops.
def predict_labels(y_pred):
    guesses = []
    for row in y_pred:
        best = 0
        for k in range(10):
            if row[k] > row[best]:
                best = k
        guesses.append(best)
    return torch.tensor(guesses)

def accuracy(y_pred, labels):
    right = 0
    for guess, label in zip(predict_labels(y_pred), labels):
        if guess == label:
            right += 1
    return right / len(labels)
