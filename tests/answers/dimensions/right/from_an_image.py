# The sizes of the first image.
image = x_train[0]
n_images = len(x_train)
n_rows, n_columns = image.shape
