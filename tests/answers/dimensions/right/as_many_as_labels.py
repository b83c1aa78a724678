# As many images as labels.
n_images = len(y_train)
n_rows, n_columns = x_train.shape[1:]
