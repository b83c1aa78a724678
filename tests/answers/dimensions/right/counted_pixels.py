# The number of pixels, divided.
n_rows = x_train.shape[1]
n_columns = x_train.numel() // len(x_train) // n_rows
n_images = x_train.numel() // (n_rows * n_columns)
