# Each class whose score is the largest: several labels for an image where scores are equal.
# fails: test_a_single_image_gets_its_label
def predict_labels(y_pred):
    return torch.where(y_pred == y_pred.max(dim=1, keepdim=True).values)[1]

def accuracy(y_pred, labels):
    return (predict_labels(y_pred) == labels).float().mean().item()
