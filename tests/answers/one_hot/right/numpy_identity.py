# A detour through numpy.
def one_hot(labels):
    return torch.from_numpy(np.eye(10, dtype=np.float32)[labels.cpu().numpy()])
