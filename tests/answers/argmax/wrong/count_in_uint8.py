# The right ones are counted in a type that ends at 255.
# fails: test_accuracy_is_the_fraction_of_right_labels
def predict_labels(y_pred):
    return y_pred.argmax(dim=1)

def accuracy(y_pred, labels):
    right = predict_labels(y_pred) == labels
    return right.sum(dtype=torch.uint8).item() / len(labels)