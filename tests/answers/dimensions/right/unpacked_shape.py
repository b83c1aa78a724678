# The shape unpacks like a tuple.
n_images, n_rows, n_columns = x_train.shape
