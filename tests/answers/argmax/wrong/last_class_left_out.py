# Nine classes only.
# fails: test_the_largest_score_wins, test_a_single_image_gets_its_label
def predict_labels(y_pred):
    return y_pred[:, :9].argmax(dim=1)

def accuracy(y_pred, labels):
    return (y_pred.argmax(dim=1) == labels).float().mean().item()
