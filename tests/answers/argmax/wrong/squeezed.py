# A batch of one loses its dimension.
# fails: test_a_single_image_gets_its_label
def predict_labels(y_pred):
    return y_pred.squeeze().argmax(-1)

def accuracy(y_pred, labels):
    return (predict_labels(y_pred) == labels).float().mean().item()
