# size() with a dimension.
n_images = x_train.size(0)
n_rows = x_train.size(1)
n_columns = x_train.size(2)
