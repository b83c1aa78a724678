# Scores cut to integers first.
# fails: test_the_largest_score_wins, test_a_single_image_gets_its_label
def predict_labels(y_pred):
    return y_pred.int().argmax(1)

def accuracy(y_pred, labels):
    return (y_pred.argmax(1) == labels).float().mean().item()
