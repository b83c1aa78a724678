# A list of sizes.
sizes = list(x_train.size())
n_images, n_rows, n_columns = sizes
