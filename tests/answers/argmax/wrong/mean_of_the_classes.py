# The accuracy of each class, averaged.
# fails: test_accuracy_is_the_fraction_of_right_labels
def predict_labels(y_pred):
    return y_pred.argmax(dim=1)

def accuracy(y_pred, labels):
    right = (predict_labels(y_pred) == labels).float()
    return torch.stack([right[labels == label].mean() for label in labels.unique()]).mean().item()
