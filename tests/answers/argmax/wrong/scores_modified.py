# The scores of the caller are shifted.
# fails: test_a_single_image_gets_its_label, test_accuracy_of_all_and_of_none
def predict_labels(y_pred):
    y_pred -= y_pred.mean()
    return y_pred.argmax(1)

def accuracy(y_pred, labels):
    return (predict_labels(y_pred) == labels).float().mean().item()
