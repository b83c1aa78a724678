# Indices from the end.
n_images = x_train.shape[0]
n_rows = x_train.shape[-2]
n_columns = x_train.shape[-1]
