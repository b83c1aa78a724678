# A detour through numpy.
def predict_labels(y_pred):
    return torch.from_numpy(np.argmax(y_pred.detach().cpu().numpy(), axis=1))

def accuracy(y_pred, labels):
    return float(np.mean(predict_labels(y_pred).numpy() == labels.cpu().numpy()))
