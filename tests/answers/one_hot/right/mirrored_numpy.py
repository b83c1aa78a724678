# Columns counted from the end, then mirrored by numpy.
def one_hot(labels):
    mirrored = np.zeros((len(labels), 10), dtype=np.float32)
    mirrored[np.arange(len(labels)), 9 - labels.cpu().numpy()] = 1
    return np.fliplr(mirrored)