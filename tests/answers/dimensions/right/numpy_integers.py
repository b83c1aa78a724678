# Integers of numpy.
n_images, n_rows, n_columns = np.array(x_train.shape)
