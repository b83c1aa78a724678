# int of each.
n_images, n_rows, n_columns = map(int, x_train.shape)
