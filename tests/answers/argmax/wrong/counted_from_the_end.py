# The scores flipped; a sum of floats.
# fails: test_the_largest_score_wins, test_a_single_image_gets_its_label, test_accuracy_is_the_fraction_of_right_labels, test_accuracy_of_all_and_of_none
def predict_labels(y_pred):
    return y_pred.flip(1).argmax(dim=1)

def accuracy(y_pred, labels):
    return (y_pred.argmax(dim=1) == labels).float().sum()
