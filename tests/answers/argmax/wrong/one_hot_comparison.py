# By one-hot rows: the classes of equal scores are added up, and each score counts.
# fails: test_a_single_image_gets_its_label, test_accuracy_is_the_fraction_of_right_labels, test_accuracy_of_all_and_of_none
def predict_labels(y_pred):
    largest = y_pred == y_pred.max(dim=1, keepdim=True).values
    return (largest * torch.arange(10)).sum(dim=1)

def accuracy(y_pred, labels):
    largest = y_pred == y_pred.max(dim=1, keepdim=True).values
    return (largest & F.one_hot(labels, 10).bool()).float().mean().item()
