# dim=0, the accuracy relies on it.
# fails: test_the_largest_score_wins, test_a_single_image_gets_its_label, test_accuracy_is_the_fraction_of_right_labels, test_accuracy_of_all_and_of_none
def predict_labels(y_pred):
    return torch.argmax(y_pred, dim=0)

def accuracy(y_pred, labels):
    return (predict_labels(y_pred) == labels).float().mean().item()
