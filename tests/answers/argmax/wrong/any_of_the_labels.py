# A prediction counts as right if it is the label of any image.
# fails: test_accuracy_is_the_fraction_of_right_labels, test_accuracy_of_all_and_of_none
def predict_labels(y_pred):
    return torch.argmax(y_pred, dim=1)

def accuracy(y_pred, labels):
    return sum(int(label) in labels.tolist() for label in predict_labels(y_pred)) / len(labels)
