# The maximum is not reset for the next image.
# fails: test_the_largest_score_wins
def predict_labels(y_pred):
    maxi, r = -1e9, []
    for ligne in y_pred:
        best = 0
        for k in range(10):
            if ligne[k] > maxi:
                maxi, best = ligne[k], k
        r.append(best)
    return torch.tensor(r)

def accuracy(y_pred, labels):
    return (torch.argmax(y_pred, dim=1) == labels).float().mean().item()
