# argmax of a softmax over the batch.
# fails: test_the_largest_score_wins, test_a_single_image_gets_its_label
def predict_labels(y_pred):
    return F.softmax(y_pred, dim=0).argmax(dim=1)

def accuracy(y_pred, labels):
    return (torch.argmax(y_pred, dim=1) == labels).float().mean().item()
